"""One path under several teachers, token by token: data of the strips, their hover card and the heat map."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from odd.method.measures import listed
from odd.store.run import Run
from odd.views.links import ViewState
from odd.views.names import file_name
from odd.views.path_overview import overview_payload, overview_rows
from odd.views.path_window import Extent, support
from odd.views.resolve import question_number
from odd.views.scores import (
    Legend,
    Row,
    colour_scale,
    colour_value,
    facts,
    known_measures,
    legend,
    number,
    passes,
    raw_value,
    records,
    settled,
    short,
    shorts,
    table,
)
from odd.views.token_path import EVERYWHERE, end_tokens, measure, path_rows, spelled

MOST = 10
"""Maximum number of disagreements of a path that the keys d and D visit."""

POINT = ("children", "success_range", "visits", "p_student", "success")
SHOWN = ("colour", "settled", "value", "difference")
"""Displayed fields of a cell: colour, whether the sign is settled, and value and difference in the measure's unit."""


def cell_scores() -> list[str]:
    """Columns of `path_rows` in the card of a token under a teacher."""
    return [*(name for one in listed() for name in (one.column, *(one.interval or ()))), "p_teacher"]


def path_payload(run: Run, view: ViewState, teachers: Sequence[str], window: range = EVERYWHERE) -> dict[str, Any]:
    """Payload of the component `token_strips`: the path of the view under each teacher.

    Args:
        run: the run of the view.
        view: resolved view with a question and a path; its pinned token is ignored.
        teachers: teachers to show, in order.
        window: positions to show.

    Returns:
        `first`, the first position; `tokens`, one per position, with data of the student; `teachers`, each with
        `cells`, one per position, with a colour on the scale of the legend (None without an estimate);
        `disagreements`, positions on the whole path in order; `name` of the files that are saved.
    """
    question = question_number(run, view)
    missing = _missing(run, question, teachers)
    rows = {name: path_rows(run, question, view.but(teacher=name), window) for name in teachers}
    scale, base = colour_scale(run, question, view), rows.get(view.baseline or "")
    return {
        "first": window.start,
        "tokens": _tokens(rows, end_tokens(run, question)),
        "teachers": [
            {
                "name": name,
                "note": missing.get(name),
                "cells": _cells(rows[name], base, view, scale, known=name not in missing),
            }
            for name in teachers
        ],
        "facts": facts(known_measures(listed(), [row for own in rows.values() for row in own])),
        "baseline": view.baseline,
        "legend": shown_legend(view).payload(scale),
        "difference": view.show == "difference",
        "disagreements": _disagreements(run, question, view, teachers),
        "name": file_name(view.run, view.question, f"path-{view.path}-teachers"),
    }


def strips_overview(run: Run, number: int, view: ViewState, extent: Extent, window: range) -> dict[str, Any]:
    """The whole path under the baseline, for the component `token_strips`."""
    view = view.but(teacher=view.baseline)
    rows, scale = overview_rows(run, number, view), colour_scale(run, number, view)
    overview = overview_payload(rows, view, scale, end_tokens(run, number), extent, support(run))
    return overview | {"window": [window.start, window.stop]}


def shown_legend(view: ViewState) -> Legend:
    """Legend of what the strips show: the score, or its difference from the baseline's."""
    plain = legend(view.colour)
    if view.show == "score":
        return plain
    words = {"name": f"{plain.name}, difference from the baseline", "symbol": f"Δ {plain.symbol}"}
    return replace(plain, kind="diverging", centre=0.0, interval=False, low="lower", high="higher", **words)


def _missing(run: Run, question: int, teachers: Sequence[str]) -> dict[str, str]:
    """Why teachers have no scores for the question, by name."""
    contexts = {row["teacher"]: row for row in run.query("contexts", question=question).to_dict("records")}
    reasons = {name: "not scored yet" for name in teachers if name not in contexts}
    for name, row in contexts.items():
        if not row["available"]:
            reasons[name] = f"not available: {row['reason'] or 'no context'}"
    return reasons


def _tokens(rows: Mapping[str, Sequence[Row]], ends: frozenset[int]) -> list[dict[str, Any]]:
    """Each token with its teacher-independent data, taken from a teacher with scores if there is one."""
    tokens = []
    for under in zip(*rows.values(), strict=True):
        scored = next((row for row in under if number(row, "children") is not None), under[0])
        text, mark = spelled(int(scored["token"]), scored["bytes"], ends)
        point = {name: short(scored, name) for name in POINT}
        tokens.append({"text": text, "mark": mark, "decision": bool(number(scored, "decision"))} | point)
    return tokens


def _cells(
    rows: Sequence[Row], base: Sequence[Row] | None, view: ViewState, scale: float, known: bool
) -> dict[str, Any]:
    """The tokens under one teacher, all missing unless `known`; `base` are the same tokens under the baseline."""
    columns = cell_scores()
    if not known:
        return table([*SHOWN, *columns], [None] * len(rows))
    others = base or [{}] * len(rows)
    shown = [_shown(row, other, view, scale) for row, other in zip(rows, others, strict=True)]
    cells = [[*one, *scores] for one, scores in zip(shown, shorts(rows, columns), strict=True)]
    return table([*SHOWN, *columns], cells)


def _shown(row: Row, base: Row, view: ViewState, scale: float) -> list[Any]:
    """Colour of a token, whether its sign is settled, its value and the difference from the baseline."""
    value, reference = raw_value(view.colour, row), raw_value(view.colour, base)
    difference = None if value is None or reference is None else value - reference
    if view.show == "score":
        colour, sure = colour_value(view.colour, row, scale), settled(view.colour, row)
    else:
        colour, sure = None if difference is None else min(1.0, max(-1.0, difference / scale)), None
    shown = colour if passes(row, view) else None
    return [_short(shown), sure, _short(value), _short(difference)]


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _disagreements(run: Run, question: int, view: ViewState, teachers: Sequence[str]) -> list[int]:
    """Positions at which two teachers' alignments have opposite signs: at most `MOST`, those with most at stake.

    The stake is the largest difference between two teachers times the success range.
    """
    rows = run.query("path_disagreements", teachers=list(teachers), **measure(question, view))
    stakes = dict(zip(rows["position"].tolist(), (rows["difference"] * rows["success_range"]).tolist(), strict=True))
    return sorted(sorted(stakes, key=lambda position: (-stakes[position], position))[:MOST])


def path_table(payload: Mapping[str, Any]) -> pd.DataFrame:
    """`path_payload` as a table with one row per (token, teacher), for download."""
    rows = []
    for teacher in payload["teachers"]:
        cells = zip(payload["tokens"], records(teacher["cells"]), strict=True)
        for position, (token, cell) in enumerate(cells, payload["first"]):
            own = {name: value for name, value in cell.items() if name not in ("colour", "settled")}
            where = {"position": position, "token": token["text"], "decision": token["decision"]}
            rows.append(where | {name: token[name] for name in POINT} | {"teacher": teacher["name"]} | own)
    return pd.DataFrame(rows)
