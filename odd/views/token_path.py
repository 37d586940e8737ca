"""A path as coloured text with everything that its tokens can show when they are pointed at: one payload.

Lists stand for records, in the order that `VALUE`, `CHILD` and `SCORE` name, to keep a long path small.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from odd.method.conventions import REST
from odd.store.run import Run, of_teacher
from odd.text import visible
from odd.views.links import ViewState
from odd.views.scores import LEGENDS, Row, colour_value, number, passes, settled

SHOWN = 8
"""Children of a token in its card; those beyond are counted."""
END = "⟨end⟩"

VALUE = ("value", "value_low", "value_high", "value_visits")
CHILD = ("p_student", "p_teacher", "success", "success_low", "success_high", "success_visits", "ideal",
         "teacher_gradient")  # fmt: skip
SCORE = ("alignment", "low", "high", "p_positive", "gain", "gain_low", "gain_high", "advantage", "children",
         "success_range", "visits", "kl_student_teacher")  # fmt: skip

INTERVALS: dict[str, tuple[str, str]] = {
    "alignment": ("low", "high"),
    "gain": ("gain_low", "gain_high"),
    "success": ("success_low", "success_high"),
}
"""Columns with the ends of the 95 % interval of a colour that has one on its own scale."""


def short(row: Row, name: str) -> float | None:
    """A column with four significant digits, None where it is unknown."""
    value = number(row, name)
    return None if value is None else float(f"{value:.4g}")


def shorts(rows: Sequence[Row], names: Sequence[str]) -> list[list[float | None]]:
    """Columns of many rows, row by row, as `short` has each: a page writes thousands of numbers."""
    known = [[np.nan if (value := number(row, name)) is None else value for name in names] for row in rows]
    values = np.array(known, dtype=float).reshape(len(rows), len(names))
    with np.errstate(divide="ignore"):
        digits = 3 - np.floor(np.log10(np.abs(values)))
    # by powers of ten that are whole: what is divided by one is the nearest to its decimal digits
    power = 10.0 ** np.clip(np.nan_to_num(np.abs(digits)), 0, 300)
    rounded = np.where(digits >= 0, np.rint(values * power) / power, np.rint(values / power) * power)
    return [[None if value != value else value for value in row] for row in rounded.tolist()]


def path_names(paths: pd.DataFrame) -> dict[int, str]:
    """Names of the paths of a question, counted by outcome: "incorrect 1"."""
    counts: dict[bool, int] = {}
    names = {}
    for path, correct in zip(paths["path"].tolist(), paths["correct"].tolist(), strict=True):
        counts[correct] = counts.get(correct, 0) + 1
        names[path] = f"{'correct' if correct else 'incorrect'} {counts[correct]}"
    return names


def spelled(token: int, spelling: object, ends: frozenset[int] = frozenset()) -> list:
    """Text of a token, and whether it is one of the program's own marks rather than what the model wrote."""
    if token == REST:
        return ["all other tokens", True]
    if token in ends:
        return [END, True]
    return [visible(spelling), False] if isinstance(spelling, bytes) else [f"⟨token {token}⟩", True]


def measure(question: int, view: ViewState) -> dict[str, Any]:
    """Parameters of the queries of a path: where it is, and under which objective and convention."""
    return {"question": question} | {name: getattr(view, name) for name in ("path", "objective", "convention")}


def end_tokens(run: Run, question: int) -> frozenset[int]:
    """The tokens that ended the paths of the question, which no visible text stands for."""
    return frozenset(run.query("path_ends", question=question)["token"].tolist())


def path_rows(run: Run, question: int, view: ViewState) -> Sequence[Row]:
    """One row a token: its place, probabilities, success and scores; unknown ones are NULL or NaN."""
    return of_teacher(run.query("path_rows", **measure(question, view)), view.teacher).to_dict("records")


def path_cards(run: Run, question: int, view: ViewState) -> dict[int, dict[str, Any]]:
    """By node of the path: its children to show, and how many more there are with how many visits."""
    ends = end_tokens(run, question)
    children = of_teacher(run.query("path_children", most=SHOWN, **measure(question, view)), view.teacher)
    cards: dict[int, dict[str, Any]] = {}
    rows = children.to_dict("records")
    for row, values in zip(rows, shorts(rows, CHILD), strict=True):
        # the first row of a node is one of its children: the bucket of all others comes last
        new = {"children": [], "more": number(row, "siblings"), "unseen": number(row, "siblings_visits")}
        card = cards.setdefault(int(row["node"]), new)
        own = [*spelled(int(row["token"]), row["bytes"], ends), bool(row["taken"]), bool(row["significant"])]
        card["children"].append([*own, *values])
        if row["token"] != REST:
            card["more"] -= 1
            card["unseen"] -= number(row, "success_visits") or 0
    return cards


def path_payload(
    rows: Sequence[Row], cards: Mapping[int, dict[str, Any]], view: ViewState, scale: float, ends: frozenset[int]
) -> dict[str, Any]:
    """What the component `token_path` draws.

    Args:
        rows: of `path_rows`.
        cards: of `path_cards`.
        view: whose colour and filters are applied.
        scale: value at the upper end of the colour.
        ends: of `end_tokens`.
    """
    return {
        "token": view.token,
        "path": view.path,
        "legend": LEGENDS[view.colour].payload(scale),
        "tokens": [
            _token(row, view, scale, ends) | {"scores": scores}
            for row, scores in zip(rows, shorts(rows, SCORE), strict=True)
        ],
        "cards": [cards.get(int(row["node"])) for row in rows],
        "values": shorts(rows, VALUE) + [_outcome(row) for row in rows[-1:]],
    }


def _token(row: Row, view: ViewState, scale: float, ends: frozenset[int]) -> dict[str, Any]:
    """A token: text, own mark or not, line break, colour value with interval, settled, decision point."""
    text, mark = spelled(int(row["token"]), row["bytes"], ends)
    shown = passes(row, view)
    value = colour_value(view.colour, row, scale) if shown else None
    return {
        "text": text,
        "mark": mark,
        "breaks": isinstance(row["bytes"], bytes) and row["bytes"].endswith(b"\n"),
        "value": None if value is None else float(f"{value:.4g}"),
        "interval": _interval(row, view, scale) if shown else None,
        "settled": settled(view.colour, row) if shown else None,
        "decision": bool(number(row, "decision")),
    }


def _interval(row: Row, view: ViewState, scale: float) -> list[float] | None:
    """The interval of the colour's value, on the scale of the colour."""
    ends = [short(row, name) for name in INTERVALS.get(view.colour, ())]
    known = [min(1.0, max(-1.0, end / scale)) for end in ends if end is not None]
    return known if len(known) == 2 else None


def _outcome(row: Row) -> list[float | None]:
    """The value behind the last token, in the order of `VALUE`."""
    return [short(row, f"success{name.removeprefix('value')}") for name in VALUE]


def path_heading(rows: Sequence[Row], name: str) -> dict[str, Any]:
    """Title of a path and its plain means over decision points; tokens of one path allow no honest interval."""
    decisions = [row for row in rows if number(row, "decision")]
    means: dict[str, Any] = {}
    for measured in ("alignment", "gain"):
        known = [value for row in decisions if (value := number(row, measured)) is not None]
        means[measured] = [sum(known) / len(known) if known else None, len(known)]
    return {"title": f"Path, {name}", "tokens": len(rows), "decisions": len(decisions), **means}
