"""The rollouts of a question as a table: filtered, searched, paged; the most frequent wrong answers; one to read."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from odd.method.success import jeffreys
from odd.questions.thinking import after_thinking
from odd.store.run import Run
from odd.text import occurrences, visible_text
from odd.views.links import LONGEST, ViewState
from odd.views.token_path import path_names

PAGE = 50
"""Rollouts per page."""
BEFORE, AFTER = 80, 160
"""Characters shown before a hit, and after its begin."""
WRONG = 5
"""Most frequent wrong answers that are listed."""
READ = 200_000
"""Characters of a response that are shown."""
NO_ANSWER = "no answer found"


def listed_rollouts(run: Run, question: int, view: ViewState) -> pd.DataFrame:
    """One page of the rollouts that pass the view's filters; `found` is the number of all of them."""
    find = view.find.strip() or None
    pattern = None if find is None else "%" + re.sub(r"([\\%_])", r"\\\1", find) + "%"
    return run.query(
        "rollouts_listed", question=question, stage=view.stage, answer=view.answer, ended=view.ended, pattern=pattern,
        find=find, before=BEFORE, after=AFTER, limit=PAGE, offset=PAGE * view.page,
    )  # fmt: skip


def rollout_table(run: Run, question: int, view: ViewState, rows: pd.DataFrame, caption: str) -> dict[str, Any]:
    """Payload of the component `table`: one row per rollout of `listed_rollouts`."""
    names = path_names(run.query("paths", question=question))
    column = {"min": 70}
    return {
        "label": "Rollouts",
        "action": "Read this rollout",
        "caption": caption,
        "few": 0,
        "nothing": "No rollout passes these filters.",
        "columns": [
            {"kind": "count", "title": "#", "min": 50},
            {"kind": "tick", "title": "right", "min": 40},
            {"kind": "excerpt", "title": "text", "min": 320, "grow": 6},
            {"kind": "text", "title": "answer", "min": 110, "grow": 1},
            {"kind": "count", "title": "tokens", "min": 56},
            {"kind": "text", "title": "launched", "min": 92},
            {"kind": "text", "title": "end", **column},
        ],
        "rows": [_row(row, names, view.find.strip()) for row in rows.to_dict("records")],
        "linked": 2,
        "sort": "",
        "chosen": "" if view.rollout is None else str(view.rollout),
        "link": {"page": "rollouts", "query": view.pairs()},
    }


def _row(row: Mapping[Any, Any], names: Mapping[int, str], find: str) -> dict[str, Any]:
    number = int(row["rollout"])
    launched = "at the start" if row["stage"] == "initial" else f"token {int(row['launch'])}"
    path = row["path"]
    end = names.get(int(path), "") if path is not None and path == path else ""
    cells = [number, bool(row["correct"]), _excerpt(row, find), _answer(row["answer"]), int(row["tokens"])]
    cells += [launched, "truncated" if row["truncated"] else f"path {end}" if end else "ended"]
    return {"key": str(number), "at": {"rollout": number}, "cells": cells}


def _answer(answer: object) -> str | None:
    return visible_text(answer)[:200] if isinstance(answer, str) else None


def _excerpt(row: Mapping[Any, Any], find: str) -> list[dict[str, Any]]:
    """Begin and end of a text, or the part around its first hit."""
    if find and isinstance(row["around"], str):
        return marked(f"…{row['around']}…", find)
    begin, final, size = row["begin"], row["final"], row["characters"]
    if not isinstance(begin, str):
        return []
    joined = begin + final[-max(0, int(size) - BEFORE) :] if size > BEFORE else begin
    return marked(joined if size <= BEFORE + AFTER else f"{begin} … {final}", "")


def marked(text: str, find: str) -> list[dict[str, Any]]:
    """A text as pieces of visible text; those that match `find`, in any case, are marked."""
    if not find:
        return [{"text": visible_text(text), "hit": False}]
    pieces, start = list[tuple[str, bool]](), 0
    for at in occurrences(text, find):
        pieces += [(text[start:at], False), (text[at : at + len(find)], True)]
        start = at + len(find)
    pieces.append((text[start:], False))
    return [{"text": visible_text(piece), "hit": hit} for piece, hit in pieces if piece]


def wrong_answers(run: Run, question: int) -> pd.DataFrame:
    """The most frequent wrong answers, with their share of the initial rollouts and its 95% interval."""
    answers = run.query("rollout_answers", question=question)
    ends = run.query("rollout_ends", question=question)
    initial = int(ends.loc[ends["stage"] == "initial", "rollouts"].sum())
    wrong = answers[~answers["correct"].astype(bool)].head(WRONG)
    counts = wrong["initial"].to_numpy(float)
    low, high = jeffreys(counts, np.full(len(counts), float(initial)))
    return wrong.assign(share=counts / initial if initial else np.nan, low=low, high=high, n=initial)


def answer_table(rows: pd.DataFrame, view: ViewState) -> dict[str, Any]:
    """Payload of the component `table` for `wrong_answers`."""
    return {
        "label": "Most frequent wrong answers",
        "action": "List the rollouts with this answer",
        "caption": "Most frequent wrong answers; click one to list its rollouts.",
        "few": 0,
        "nothing": "No rollout has a wrong answer.",
        "columns": [
            {"kind": "text", "title": "answer", "min": 120, "grow": 3},
            {"kind": "rate", "title": "share", "min": 110, "grow": 1, "note": "of the initial rollouts",
             "meaning": "share of the initial rollouts with its 95% Jeffreys interval"},
            {"kind": "count", "title": "initial", "min": 60},
            {"kind": "count", "title": "all", "min": 60, "note": "with targeted"},
        ],
        "rows": [_answer_row(row, at) for at, row in enumerate(rows.to_dict("records"))],
        "linked": 0,
        "sort": "",
        "chosen": view.answer or "",
        "link": {"page": "rollouts", "query": view.but(page=0, rollout=None).pairs()},
    }  # fmt: skip


def _answer_row(row: Mapping[Any, Any], at: int) -> dict[str, Any]:
    known = isinstance(row["answer"], str)
    rate = {"value": row["share"], "low": row["low"], "high": row["high"]}
    rate = {name: None if value != value else round(float(value), 4) for name, value in rate.items()}
    cells = [_answer(row["answer"]) if known else NO_ANSWER, rate | {"n": int(row["n"])}, int(row["initial"])]
    change = {name: value or "" for name, value in answer_filter(row["answer"]).items()}
    return {"key": str(at), "at": change, "cells": [*cells, int(row["rollouts"])]}


def answer_filter(answer: object) -> dict[str, Any]:
    """Parameters of a view that list the rollouts with a wrong answer; a very long one does not fit into a link."""
    if not isinstance(answer, str):
        return {"answer": None, "ended": "no answer"}
    return {"answer": answer if len(answer) <= LONGEST else None, "ended": "wrong"}


def rollout_reading(run: Run, question: int, view: ViewState) -> dict[str, Any] | None:
    """Payload of the component `rollout_text`: the text of the view's rollout, its thinking part apart from its answer.

    None if the question has no such rollout.
    """
    rows = run.query("rollout_text", question=question, rollout=view.rollout)
    if rows.empty:
        return None
    text = rows["text"].iloc[0]
    text = text if isinstance(text, str) else ""
    answer = after_thinking(text)
    parts = {"thinking": text[: len(text) - len(answer)], "answer": answer}
    find = view.find.strip()
    shown = {name: marked(part[:READ], find) if part else [] for name, part in parts.items()}
    return {"rollout": view.rollout, **shown, "cut": len(text) > READ}


def place_in_tree(run: Run, question: int, rollout: int) -> dict[str, Any]:
    """Parameters of a view of the tree at a rollout: its last stored node, on the path it follows longest."""
    node, nodes = 0, []
    for row in run.query("rollout_nodes", question=question, rollout=rollout).to_dict("records"):
        if row["parent"] == node:
            node = int(row["node"])
            nodes.append(node)
    paths = run.query("paths", question=question)
    own = paths.loc[paths["rollout"] == rollout, "path"].tolist()
    if own:
        return {"path": int(own[0]), "position": None, "start": None, "node": None}
    through = run.query("paths_through", question=question, nodes=nodes)
    at = {"node": node or None, "start": None}
    if through.empty:
        return at
    return at | {"path": int(through["path"].iloc[0]), "position": int(through["position"].iloc[0])}
