"""The tokens at which a teacher helps and harms most, with links to the tree."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from odd.findings.words import short
from odd.method.measures import score_columns
from odd.store.run import Run
from odd.text import visible_text
from odd.views.finding_tokens import BEFORE, texts_before
from odd.views.links import AT_START, ViewState, parameters
from odd.views.token_path import spelled


@dataclass(frozen=True)
class StrongestTokens:
    """The strongest decision points of a teacher with a settled sign, helpful ones first.

    Attributes:
        rows: result of the query `strongest_tokens`.
        before: per row, the texts of the preceding tokens and of the token itself.
        helpful: total number settled as helpful.
        harmful: total number settled as harmful.
    """

    rows: pd.DataFrame
    before: tuple[tuple[str, ...], ...]
    helpful: int
    harmful: int


def strongest_tokens(run: Run, view: ViewState, most: int, questions: Collection[int]) -> StrongestTokens:
    """Find the strongest tokens by success range × |cosine|.

    Args:
        run: the run.
        view: gives teacher, objective, convention and outcome.
        most: maximum number of rows per sign.
        questions: numbers of the selected questions.
    """
    rows = run.query("strongest_tokens", **asked_of(view, most, questions))
    helpful = rows["alignment"] > 0
    counts = [int(rows.loc[side, "of_all"].max()) if side.any() else 0 for side in (helpful, ~helpful)]
    return StrongestTokens(rows, texts_before(run, rows), *counts)


def asked_of(view: ViewState, most: int, questions: Collection[int]) -> dict[str, Any]:
    """Parameters of the query `strongest_tokens`."""
    parts = {name: getattr(view, name) for name in ("teacher", "objective", "convention", "outcome")}
    return {"limit": most, "questions": sorted(questions), **parts}


def sentence(found: StrongestTokens, teacher: str, most: int) -> str:
    """Describe the table, in plain text."""
    name = short(teacher)
    if not len(found.rows):
        return f"The sign of the alignment of {name} is not settled at any token: every 95% interval contains 0."
    return (
        f"{name} points towards success at {_tokens(found.helpful)} and away from it at {_tokens(found.harmful)} with "
        f"a 95% interval that excludes 0. Up to {most} of each are shown, the largest by success range × |cosine|. As "
        "they are selected for being large, their true values are probably smaller."
    )


def _tokens(count: int) -> str:
    return "1 decision point" if count == 1 else f"{count:,} decision points"


COLUMNS: list[dict[str, Any]] = [
    {"kind": "tokens", "title": "token on the path", "note": "with the text before it", "min": 200, "grow": 3},
    {"kind": "bar", "title": "alignment", "note": "cosine", "limit": 1.0, "min": 90, "grow": 1,
     "meaning": "cosine with its 95% interval", "unit": "visits of the children"},
    {"kind": "number", "title": "range", "note": "of success", "digits": 2, "min": 62},
    {"kind": "tokens", "title": "ideal raises", "note": "most", "min": 92},
    {"kind": "tokens", "title": "teacher raises", "note": "most", "min": 92},
    {"kind": "text", "title": "question", "min": 90, "grow": 1},
    {"kind": "tick", "title": "path", "note": "outcome", "min": 52},
]  # fmt: skip


def payload(found: StrongestTokens, view: ViewState) -> dict[str, Any]:
    """Payload of the component `table`."""
    there = view.but(question=None, **AT_START)
    rows = found.rows.to_dict("records")
    return {
        "label": "Strongest tokens",
        "action": "Open this token in the tree",
        "caption": "Click a row to open the token in the tree.",
        "nothing": "No tokens.",
        "columns": COLUMNS,
        "rows": [_row(row, before) for row, before in zip(rows, found.before, strict=True)],
        "linked": 0,
        "sort": "",
        "chosen": None,
        "link": {"page": "tree", "query": there.pairs()},
    }


def place(row: Mapping[Any, Any]) -> dict[str, Any]:
    """View parameters of a row's token."""
    return {"question": row["id"], "path": int(row["path"]), "position": int(row["position"])}


def row_key(row: Mapping[Any, Any]) -> str:
    """Key of a row."""
    return f"{row['question']}:{row['node']}"


def _row(row: Mapping[Any, Any], before: tuple[str, ...]) -> dict[str, Any]:
    more = "…" if row["position"] > BEFORE else ""
    text = [{"text": more + "".join(before[:-1]), "mark": "before"}, {"text": before[-1], "mark": "taken"}]
    alignment = {"value": row["alignment"], "low": row["low"], "high": row["high"], "n": int(row["visits"])}
    raised = [[{"text": _token(row[f"{whose}_bytes"]), "mark": "taken"}] for whose in ("ideal", "teacher")]
    cells = [text, alignment, row["success_range"], *raised, visible_text(row["id"]), bool(row["correct"])]
    return {"key": row_key(row), "at": parameters(place(row)), "cells": cells}


def _token(spelling: object) -> str:
    """Text of a raised token; without bytes, it is the bucket of all others."""
    return spelled(0, spelling)[0] if isinstance(spelling, bytes) else "all others"


def export(found: StrongestTokens) -> pd.DataFrame:
    """The rows as a table for download."""
    texts = ["".join(before[:-1]) for before in found.before]
    tokens = [before[-1] for before in found.before]
    raised = {
        f"{whose}_raises": [_token(spelling) for spelling in found.rows[f"{whose}_bytes"]]
        for whose in ("ideal", "teacher")
    }
    kept = ["teacher", "objective", "convention", "id", "path", "position", "correct"]
    scores = [name for name in score_columns() if name != "decision"]
    return found.rows[kept].assign(before=texts, token=tokens, **raised).join(found.rows[scores])
