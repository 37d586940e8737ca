"""The ideal gradient and every teacher's gradient at one token of a path."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from odd.method.alignment import ZERO_IDEAL, ZERO_NORM
from odd.store.run import Run
from odd.views.links import ViewState
from odd.views.resolve import question_number
from odd.views.scores import Row, number
from odd.views.token_path import end_tokens, path_rows, spelled


def gradients_at(run: Run, view: ViewState, teachers: Sequence[str]) -> dict[str, Any] | None:
    """Ideal and teacher gradients at the pinned token, each scaled to length 1, as a cosine compares directions.

    Args:
        run: the run of the view.
        view: resolved view with a pinned token.
        teachers: teachers to show, in order.

    Returns:
        `children` of the node; `ideal` and `teachers`, each with `components` (one per child; None if it is unknown or
        the gradient is zero) and `length` before scaling; teachers also with their alignment. None if the token has
        no gradients.
    """
    question = question_number(run, view)
    under = {name: pinned_row(run, question, view.but(teacher=name)) for name in teachers}
    node = int(next(iter(under.values()))["node"])
    rows = run.query(
        "token_gradients", question=question, node=node, objective=view.objective, convention=view.convention
    )
    rows = rows[rows["teacher"].isin(list(teachers))].drop_duplicates(["teacher", "token"])
    if rows.empty:
        return None
    first = rows[rows["teacher"] == rows["teacher"].iloc[0]]
    tokens = first["token"].tolist()
    grids = {name: own.set_index("token")["teacher_gradient"].reindex(tokens) for name, own in rows.groupby("teacher")}
    return {
        "children": _children(run, first, end_tokens(run, question)),
        "ideal": _scaled(first["ideal"].to_numpy(float), ZERO_IDEAL),
        "teachers": [_teacher(name, grids.get(name), under[name], len(tokens)) for name in teachers],
    }


def pinned_row(run: Run, question: int, view: ViewState) -> Row:
    """The row of the query `path_rows` at the pinned token."""
    position = view.position or 0
    return dict(path_rows(run, question, view, range(position, position + 1))[0])


def _children(run: Run, rows: pd.DataFrame, ends: frozenset[int]) -> list[dict[str, Any]]:
    """Text, student probability, success and visits of each child of the node."""
    texts = run.query("token_bytes", tokens=sorted(rows["token"].tolist()))
    spelling = dict(zip(texts["token"].tolist(), texts["bytes"], strict=True))
    return [
        {"text": spelled(row["token"], spelling.get(row["token"]), ends)[0]}
        | {name: number(row, name) for name in ("p_student", "success", "visits")}
        for row in rows.to_dict("records")
    ]


def _teacher(name: str, gradient: pd.Series | None, row: Row, count: int) -> dict[str, Any]:
    values = np.full(count, np.nan) if gradient is None else gradient.to_numpy(float)
    score = {part: number(row, part) for part in ("alignment", "low", "high", "p_positive")}
    return {"name": name, "known": gradient is not None} | _scaled(values, ZERO_NORM) | score


def _scaled(values: np.ndarray, zero: float) -> dict[str, Any]:
    """A gradient scaled to length 1, and its length; its components are None if it is zero up to rounding."""
    if np.isnan(values).all():
        return {"components": [None] * len(values), "length": None}
    length = float(np.linalg.norm(np.nan_to_num(values)))
    scaled = values / length if length > zero else np.full(len(values), np.nan)
    return {"components": [None if np.isnan(value) else float(value) for value in scaled], "length": length}


def gradient_table(found: dict[str, Any]) -> pd.DataFrame:
    """`gradients_at` as a table with one row per (child, teacher), for download."""
    rows = []
    for teacher in found["teachers"]:
        for at, child in enumerate(found["children"]):
            unit = {"ideal": found["ideal"]["components"][at], "teacher_gradient": teacher["components"][at]}
            lengths = {"ideal_length": found["ideal"]["length"], "teacher_length": teacher["length"]}
            rows.append({"teacher": teacher["name"], **child, **unit, **lengths, "alignment": teacher["alignment"]})
    return pd.DataFrame(rows)
