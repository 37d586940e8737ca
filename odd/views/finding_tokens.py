"""The tokens behind a row of a finding, or along a path, with links to the tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from odd.findings.evidence import Evidence
from odd.findings.model import Row
from odd.method.measures import score_columns
from odd.store.run import Run
from odd.text import visible_text
from odd.views.links import AT_START, ViewState, parameters
from odd.views.token_path import spelled

BEFORE = 8
"""Number of preceding tokens shown in a row."""


@dataclass(frozen=True, eq=False)
class TokenList:
    """Decision points with their tokens on a path.

    Attributes:
        rows: steps of the evidence, one per point, with the id of the question.
        before: per row, the texts of the preceding tokens and of the token itself.
        total: number of points, of which `rows` may be only a part.
    """

    rows: pd.DataFrame
    before: tuple[tuple[str, ...], ...]
    total: int


def behind(evidence: Evidence, row: Row, most: int | None = None) -> TokenList:
    """The tokens behind a row, in descending order of success range × |cosine|.

    Args:
        evidence: evidence of the row.
        row: the row.
        most: maximum number of tokens; None for all.
    """
    steps = evidence.places(row.outcome or evidence.filters.outcome).drop_duplicates("point")
    rows = steps[steps["point"].isin(row.points)]
    stake = (rows["success_range"] * rows["alignment"].abs()).fillna(-1)
    rows = rows.loc[stake.sort_values(ascending=False, kind="stable").index]
    return _spelled(evidence, rows if most is None else rows.head(most), len(rows))


def along(evidence: Evidence, question: int, path: int, teacher: str | None) -> TokenList:
    """The decision points of a teacher along a path, in order."""
    steps = evidence.steps
    here = (steps["question"] == question) & (steps["path"] == path) & (steps["teacher"] == teacher)
    here &= steps["decision"]
    rows = steps[here].sort_values("position")
    return _spelled(evidence, rows, len(rows))


def _spelled(evidence: Evidence, rows: pd.DataFrame, total: int) -> TokenList:
    ids = evidence.run.query("questions").set_index("question")["id"]
    rows = rows.assign(id=ids.reindex(rows["question"]).to_numpy()).reset_index(drop=True)
    return TokenList(rows, texts_before(evidence.run, rows), total)


def texts_before(run: Run, rows: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Texts of the preceding tokens and of the token itself, for rows with question, path and position."""
    before: list[list[str]] = [[] for _ in range(len(rows))]
    if len(rows):
        where = {"questions": rows["question"].tolist(), "paths": rows["path"].tolist()}
        texts = run.query("texts_before", positions=rows["position"].tolist(), before=BEFORE, **where)
        for text in texts.to_dict("records"):
            ends = frozenset([text["token"]] if text["ends"] else [])
            before[text["row"]].append(spelled(text["token"], text["bytes"], ends)[0])
    return tuple(map(tuple, before))


COLUMNS: list[dict[str, Any]] = [
    {"kind": "tokens", "title": "token on the path", "note": "with the text before it", "min": 200, "grow": 3},
    {"kind": "text", "title": "teacher", "min": 90, "grow": 1},
    {"kind": "bar", "title": "alignment", "note": "cosine", "limit": 1.0, "min": 90, "grow": 1,
     "meaning": "cosine with its 95% interval", "unit": "visits of the children"},
    {"kind": "number", "title": "range", "note": "of success", "digits": 2, "min": 62},
    {"kind": "count", "title": "|S_u|", "note": "children", "min": 62},
    {"kind": "text", "title": "question", "min": 90, "grow": 1},
    {"kind": "count", "title": "position", "min": 66},
    {"kind": "tick", "title": "path", "note": "outcome", "min": 52},
]  # fmt: skip


def tokens_payload(found: TokenList, run_id: str, view: ViewState) -> dict[str, Any]:
    """Payload of the component `table`; its rows open the tree of their run."""
    there = view.but(question=None, teacher=None, run=None, **AT_START)
    rows = [_row(row, before, run_id) for row, before in zip(found.rows.to_dict("records"), found.before, strict=True)]
    shown = f"{len(rows):,} of {found.total:,} tokens" if found.total > len(rows) else f"{found.total:,} tokens"
    return {
        "label": "Tokens",
        "action": "Open this token in the tree",
        "caption": f"{shown}. Click a row to open the token in the tree.",
        "nothing": "No tokens.",
        "columns": COLUMNS,
        "rows": rows,
        "linked": 0,
        "sort": "",
        "chosen": None,
        "link": {"page": "tree", "query": there.pairs()},
    }


def place(row: Mapping[Any, Any], run_id: str) -> dict[str, Any]:
    """View parameters of a row's token."""
    return {
        "run": run_id,
        "question": row["id"],
        "path": int(row["path"]),
        "position": int(row["position"]),
        "teacher": row["teacher"],
    }


def token_key(row: Mapping[Any, Any]) -> str:
    """Key of a row."""
    return f"{row['question']}:{row['node']}:{row['teacher']}"


def _row(row: Mapping[Any, Any], before: tuple[str, ...], run_id: str) -> dict[str, Any]:
    more = "…" if row["position"] > BEFORE else ""
    text = [{"text": more + "".join(before[:-1]), "mark": "before"}, {"text": before[-1], "mark": "taken"}]
    value, low, high = (None if np.isnan(row[name]) else float(row[name]) for name in ("alignment", "low", "high"))
    alignment = {"value": value, "low": low, "high": high, "n": int(row["visits"])}
    cells = [text, visible_text(row["teacher"]), alignment, float(row["success_range"]), int(row["children"]),
             visible_text(row["id"]), int(row["position"]), bool(row["correct"])]  # fmt: skip
    return {"key": token_key(row), "at": parameters(place(row, run_id)), "cells": cells}


def tokens_export(found: TokenList) -> pd.DataFrame:
    """The tokens as a table for download."""
    texts = ["".join(before[:-1]) for before in found.before]
    tokens = [before[-1] for before in found.before]
    kept = ["teacher", "id", "path", "position", "correct"]
    scores = [name for name in score_columns() if name != "decision"]
    return found.rows[kept].assign(before=texts, token=tokens).join(found.rows[scores])
