"""The table of questions: one row each, with pass rate and mean alignment per teacher.

A question's alignment under a teacher is the mean cosine over its decision points, each node counted once. The gap is
the mean over the nodes of incorrect paths minus that over the nodes of correct paths; a node on both counts for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from odd.method.success import jeffreys
from odd.store.question_stage import QuestionStage
from odd.store.run import Run
from odd.text import visible_text
from odd.views.links import AT_START, ViewState

FEW = 5
"""A mean of fewer decision points is drawn muted."""

DIFFICULTIES = ("easy", "medium", "hard", "never")
LIMITS = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Possible limits of the bars' scale."""


@dataclass(frozen=True)
class QuestionTable:
    """All questions of a run under one objective and convention.

    Attributes:
        rows: one row per question, in run order. In addition to the columns of the query `questions`: `low` and `high`
            of the pass rate (95% Jeffreys), `decision_points` under the convention (NA if not scored), `gap` (mean over
            teachers), and per teacher T `alignment:T`, `n:T`, `gap:T`, `gap_n:T`. Unknown numbers are NaN.
        teachers: names in order.
        reasons: why a teacher has no context for a question, by question number and teacher.
    """

    rows: pd.DataFrame
    teachers: tuple[str, ...]
    reasons: Mapping[tuple[int, str], str]

    @cached_property
    def drawn(self) -> dict[int, dict[str, Any]]:
        """Payload of each row, by question number; the stage comes last."""
        return {row["question"]: _row(self, row) for row in self.rows.to_dict("records")}


def question_table(run: Run, objective: str | None, convention: str | None) -> QuestionTable:
    """Build the table.

    Args:
        run: the run.
        objective: label; None if the run has none.
        convention: label; None if the run has none.
    """
    rows = run.query("questions").drop(columns="decision_points").set_index("question", drop=False)
    low, high = jeffreys(rows["initial_correct"].to_numpy(float), rows["initial_rollouts"].to_numpy(float))
    measure = {"objective": objective, "convention": convention}
    decisions = run.query("question_decisions", **measure).set_index("question")["decision_points"]
    teachers = tuple(run.query("teachers")["teacher"].tolist())
    means = run.query("question_alignment", **measure)
    columns: dict[str, Any] = {"low": low, "high": high}
    counted = decisions.reindex(rows.index).fillna(0).astype("Int64")
    columns["decision_points"] = counted.where(rows["stage"] == QuestionStage.SCORED)
    for teacher in teachers:
        own = means[means["teacher"] == teacher].set_index("question").reindex(rows.index)
        columns[f"alignment:{teacher}"] = own["alignment"].astype(float)
        columns[f"n:{teacher}"] = own["n"].fillna(0).astype(int)
        columns[f"gap:{teacher}"] = own["incorrect"].astype(float) - own["correct"].astype(float)
        columns[f"gap_n:{teacher}"] = (own["n_correct"].fillna(0) + own["n_incorrect"].fillna(0)).astype(int)
    table = rows.assign(**columns)
    gaps = table[[f"gap:{teacher}" for teacher in teachers]]
    table["gap"] = gaps.mean(axis=1) if teachers else np.nan
    table["gap_n"] = table[[f"gap_n:{teacher}" for teacher in teachers]].max(axis=1) if teachers else 0
    missing = run.query("contexts_unavailable")
    keys = zip(missing["question"].tolist(), missing["teacher"].tolist(), strict=True)
    reasons = dict(zip(keys, missing["reason"].fillna("no context").tolist(), strict=True))
    return QuestionTable(table, teachers, reasons)


def sort_keys(table: QuestionTable) -> list[str]:
    """Keys the table can be sorted by; in a view, a leading "-" means descending."""
    bars = [f"alignment:{teacher}" for teacher in table.teachers]
    return ["question", "text", "kind", "pass_rate", "difficulty", "decision_points", *bars, "gap", "stage"]


def listed(table: QuestionTable, view: ViewState) -> pd.DataFrame:
    """Rows that pass the view's filters, in its order; unknown values come last in either direction."""
    rows = table.rows
    keep = np.ones(len(rows), dtype=bool)
    if view.difficulty != "all":
        keep &= (rows["difficulty"] == view.difficulty).to_numpy(bool)
    if "decisions" in view.having:
        keep &= (rows["decision_points"].fillna(0) > 0).to_numpy(bool)
    if "teachers" in view.having:
        keep &= rows["teachers_available"].to_numpy() == len(table.teachers)
    if wanted := view.search.casefold().strip():
        texts = zip(rows["id"].tolist(), rows["text"].tolist(), strict=True)
        keep &= np.array([wanted in name.casefold() or wanted in text.casefold() for name, text in texts], dtype=bool)
    return _sorted(rows[keep], view.sort, sort_keys(table))


def _sorted(rows: pd.DataFrame, sort: str, keys: Sequence[str]) -> pd.DataFrame:
    name = sort.removeprefix("-")
    if name not in keys:
        return rows
    values = rows[name]
    if name == "difficulty":
        values = values.map({difficulty: rank for rank, difficulty in enumerate(DIFFICULTIES)})
    elif not pd.api.types.is_numeric_dtype(values):
        values = values.map(lambda text: text.casefold() if isinstance(text, str) else None)
    return rows.loc[values.sort_values(ascending=not sort.startswith("-"), kind="stable", na_position="last").index]


def scale_limit(values: np.ndarray) -> float:
    """The smallest of `LIMITS` that contains all defined values."""
    most = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0.0
    return next((limit for limit in LIMITS if most <= limit), LIMITS[-1])


def payload(
    table: QuestionTable, rows: pd.DataFrame, view: ViewState, running: bool, caption: str = ""
) -> dict[str, Any]:
    """Payload of the component `table`.

    Args:
        table: all questions; they determine the scale of the bars, so filters do not change it.
        rows: rows to show, in order.
        view: gives the order and the links.
        running: whether to show the stage of each question.
        caption: text above the table.
    """
    columns = _columns(table, running)
    sort = view.sort if view.sort.removeprefix("-") in sort_keys(table) else "question"
    return {
        "label": "Questions",
        "action": "Open this question's tree",
        "caption": caption,
        "few": FEW,
        "nothing": "No question matches these filters.",
        "columns": columns,
        "rows": [table.drawn[question] for question in rows["question"].tolist()],
        "linked": 1,
        "sort": sort,
        "chosen": view.question,
        "link": {"page": "tree", "query": opened(view, "").pairs()},
    }


def opened(view: ViewState, question: str) -> ViewState:
    """The view of a question's tree, at its first path, with nothing pinned or selected."""
    return view.but(question=question, **AT_START)


def _columns(table: QuestionTable, running: bool) -> list[dict[str, Any]]:
    names = [visible_text(name) for name in table.teachers]
    bars = [f"alignment:{teacher}" for teacher in table.teachers]
    bar = {"kind": "bar", "limit": scale_limit(table.rows[bars].to_numpy(float)), "unit": "decision points"}
    bar |= {"min": 76, "grow": 1, "note": "mean cosine", "meaning": "mean cosine over the question's decision points"}
    gap = {**bar, "limit": scale_limit(table.rows["gap"].to_numpy(float)), "plain": True, "parts": names}
    return [
        {"kind": "count", "title": "#", "sort": "question", "rising": True, "min": 26},
        {"kind": "question", "title": "question", "sort": "text", "rising": True, "min": 170, "grow": 3},
        {"kind": "text", "title": "kind", "sort": "kind", "rising": True, "min": 50},
        {"kind": "rate", "title": "pass rate", "sort": "pass_rate", "min": 84, "grow": 1, "note": "95% interval",
         "meaning": "share of correct initial rollouts with its 95% Jeffreys interval"},
        {"kind": "text", "title": "difficulty", "sort": "difficulty", "rising": True, "min": 58},
        {"kind": "count", "title": "decision", "sort": "decision_points", "min": 56, "note": "points"},
        *({**bar, "title": name, "sort": sort} for name, sort in zip(names, bars, strict=True)),
        *([{**gap, "title": "gap", "sort": "gap", "min": 92, "note": "incorrect − correct",
            "meaning": "mean cosine on incorrect paths minus that on correct ones, averaged over the teachers"}]
          if names else []),
        *([{"kind": "text", "title": "stage", "sort": "stage", "rising": True, "min": 60}] if running else []),
    ]  # fmt: skip


def _row(table: QuestionTable, row: Mapping[Any, Any]) -> dict[str, Any]:
    text = {"title": visible_text(row["id"]), "text": visible_text(row["text"]), "note": _shown(row["note"])}
    rate = {name: _number(row[key]) for name, key in (("value", "pass_rate"), ("low", "low"), ("high", "high"))}
    gap = {"value": _number(row["gap"]), "n": int(row["gap_n"]), "few": row["gap_n"] < 2 * FEW}
    gap["parts"] = [_number(row[f"gap:{teacher}"]) for teacher in table.teachers]
    kind = (_shown(row["kind"]) or "–").replace("_", "/")
    cells: list[Any] = [int(row["question"]) + 1, text, kind, rate | {"n": int(row["initial_rollouts"])}]
    points = row["decision_points"]
    cells += [_shown(row["difficulty"]), None if pd.isna(points) else int(points)]
    cells += [_bar(table, row, teacher) for teacher in table.teachers]
    cells += [*([gap] if table.teachers else []), _shown(row["stage"])]
    return {"key": row["id"], "at": {"question": row["id"]}, "cells": cells}


def _bar(table: QuestionTable, row: Mapping[Any, Any], teacher: str) -> dict[str, Any]:
    n, value = int(row[f"n:{teacher}"]), _number(row[f"alignment:{teacher}"])
    cell = {"value": value, "n": n, "few": n < FEW}
    if value is None:
        cell["why"] = _why(table, row, teacher)
    return cell


def _why(table: QuestionTable, row: Mapping[Any, Any], teacher: str) -> str:
    """Why a question has no alignment under a teacher."""
    if reason := table.reasons.get((row["question"], teacher)):
        return visible_text(reason)
    if row["stage"] != QuestionStage.SCORED:
        return "not scored yet"
    if not row["decision_points"]:
        return "no decision point"
    return "alignment undefined at its decision points: a gradient is zero"


def _shown(text: Any) -> str | None:
    return visible_text(text) if isinstance(text, str) else None


def _number(value: Any) -> float | None:
    return None if value is None or np.isnan(value) else round(float(value), 5)


def export(table: QuestionTable, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as a table for download, at full precision."""
    first = ["id", "text", "kind", "stage", "difficulty", "note", "pass_rate", "low", "high", "initial_rollouts"]
    bars = [f"{measure}:{teacher}" for teacher in table.teachers for measure in ("alignment", "n", "gap")]
    named = {"low": "pass_rate_low", "high": "pass_rate_high", "gap": "gap_mean_of_teachers"}
    return rows[[*first, "decision_points", *bars, "gap"]].rename(columns=named)
