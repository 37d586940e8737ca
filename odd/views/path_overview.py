"""The whole of a long path at a glance: the score and V(u) of every token that has them, and its decision points."""

from collections.abc import Sequence
from typing import Any

from odd.method.measures import MEASURES, score_columns
from odd.store.run import Run, of_teacher
from odd.views.links import ViewState
from odd.views.path_window import Extent
from odd.views.scores import Row, colour_value, number, passes, settled, short, table
from odd.views.token_path import measure, spelled

SCORED = ("position", "value", "settled")
DECISION = ("position", "text", "mark", "value", "settled", "alignment", "low", "high", "success_range", "gain")
LONGEST = 40
"""Characters of a token in the list of decision points."""
OTHERS = (
    "position",
    "token",
    "bytes",
    "value",
    "value_visits",
    "success_visits",
    "kl_student_teacher",
    "p_student",
    "p_teacher",
)
"""Columns of `overview_rows` beside scores."""


def overview_rows(run: Run, question: int, view: ViewState) -> Sequence[Row]:
    """All tokens of a path under the view's teacher, with the columns that the overview needs."""
    rows = of_teacher(run.query("path_overview", teacher=view.teacher, **measure(question, view)), view.teacher)
    own = MEASURES[view.colour]
    wanted = {*OTHERS, *score_columns(), own.column, *(own.interval or ()), *(own.settled_by or ())}
    return rows[[name for name in rows.columns if name in wanted]].to_dict("records")


def overview_payload(
    rows: Sequence[Row], view: ViewState, scale: float, ends: frozenset[int], extent: Extent, visits: int
) -> dict[str, Any]:
    """The part of the payload of `token_path` that describes the whole path.

    Args:
        rows: all tokens of the path.
        view: view with the colour and filters to apply.
        scale: value at the upper end of the colour scale.
        ends: tokens that end a response.
        extent: result of `odd.views.path_window.path_extent`.
        visits: visits from which V(u) is shown.

    Returns:
        `length`, `answer` and `window` (first position, and the one after the last), positions; `scored`, tokens with a
        colour; `values`, [position, V(u)] where at least `visits` rollouts support it; `decisions`, all decision points
        in order; `part`, what is shown.
    """
    window = extent.window(view)
    scored, values = [], []
    for row in rows:
        value = colour_value(view.colour, row, scale) if passes(row, view) else None
        if value is not None:
            scored.append([int(row["position"]), round(value, 3), settled(view.colour, row)])
        if (number(row, "value_visits") or 0) >= visits and number(row, "value") is not None:
            values.append([int(row["position"]), round(number(row, "value") or 0.0, 3)])
    return {
        "length": extent.length,
        "answer": extent.answer,
        "part": view.part,
        "window": [window.start, window.stop],
        "scored": table(SCORED, scored),
        "values": values,
        "decisions": table(DECISION, [_decision(row, view, scale, ends) for row in rows if number(row, "decision")]),
    }


def _decision(row: Row, view: ViewState, scale: float, ends: frozenset[int]) -> list[Any]:
    text, mark = spelled(int(row["token"]), row["bytes"], ends)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    value = colour_value(view.colour, row, scale)
    colour = [None if value is None else round(value, 3), settled("alignment", row)]
    return [int(row["position"]), text, mark, *colour, *(short(row, name) for name in DECISION[5:])]
