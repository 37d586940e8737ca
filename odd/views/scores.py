"""What the colour of a token stands for: its value between its ends, whether its sign is settled, its legend.

A row is anything with the columns of the query `path_scores` and, for the taken token, `p_student`, `p_teacher`,
`success` (of the child that it leads to, as the convention counts) and `kl_student_teacher`; missing ones are unknown.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from odd.store.run import Run
from odd.views.links import Colour, ViewState

Row = Mapping[Any, Any]
SCALED = {"gain": "gain", "advantage": "advantage", "kl": "kl"}
"""Colours whose end is a value of the question's own, and the column of `score_scales` that holds it."""


@dataclass(frozen=True)
class Legend:
    """A colour in words.

    Attributes:
        name: of the quantity.
        symbol: a short name for axes.
        unit: of it; empty for a pure number.
        low: what the low end means.
        high: what the high end means.
        kind: diverging from -1 to 1, success from 0 to 1, or sequential from 0 to 1.
        interval: whether the run holds intervals, without which no sign is called settled or not.
    """

    name: str
    symbol: str
    unit: str
    low: str
    high: str
    kind: Literal["diverging", "success", "sequential"] = "diverging"
    interval: bool = False

    def payload(self, scale: float = 1.0) -> dict[str, Any]:
        """The legend for a component, with the values at its two ends."""
        signed = self.kind == "diverging" and self.symbol != "P(>0)"
        return asdict(self) | {"ends": [-scale if signed else 0.0, scale]}


LEGENDS: dict[Colour, Legend] = {
    "alignment": Legend("alignment", "align", "cosine", "harmful", "helpful", interval=True),
    "gain": Legend("gain", "gain", "success per unit step", "harmful", "helpful", interval=True),
    "p_positive": Legend("P(alignment > 0)", "P(>0)", "probability", "surely harmful", "surely helpful", interval=True),
    "success": Legend("success after the token", "P̂", "probability", "fails", "succeeds", "success"),
    "advantage": Legend("teacher advantage", "adv", "success", "harmful", "helpful"),
    "kl": Legend("KL(student ‖ teacher)", "KL", "nats", "same", "different", "sequential"),
    "difference": Legend("P teacher − P student", "ΔP", "probability", "teacher: less", "teacher: more"),
}


def number(row: Row, name: str) -> float | None:
    """A column as a float; None where it is missing, NULL or NaN."""
    value = row.get(name)
    try:
        found = float(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return found if found == found else None


def raw_value(colour: Colour, row: Row) -> float | None:
    """The quantity in its own unit."""
    if colour == "difference":
        teacher, student = number(row, "p_teacher"), number(row, "p_student")
        return None if teacher is None or student is None else teacher - student
    return number(row, "kl_student_teacher" if colour == "kl" else colour)


def colour_value(colour: Colour, row: Row, scale: float = 1.0) -> float | None:
    """The quantity between its ends: -1 to 1, or 0 to 1 for `success` and `kl`; None without an estimate.

    Args:
        colour: what is shown.
        row: of the token.
        scale: value at the upper end, from `colour_scale`.
    """
    value = raw_value(colour, row)
    if value is None:
        return None
    if colour == "p_positive":
        return 2 * value - 1
    return min(1.0, max(-1.0, value / scale))


def settled(colour: Colour, row: Row) -> bool | None:
    """Whether the 95 % interval of the quantity excludes 0; None where the quantity has no interval or estimate."""
    if not LEGENDS[colour].interval or raw_value(colour, row) is None:
        return None
    ends = ("gain_low", "gain_high") if colour == "gain" else ("low", "high")
    low, high = (number(row, end) for end in ends)
    return None if low is None or high is None else low > 0 or high < 0


def passes(row: Row, view: ViewState) -> bool:
    """Whether the filters let a token have a colour. Scores begin at two children: that minimum filters nothing."""
    if view.decisions and not number(row, "decision"):
        return False
    enough = view.children <= 2 or (number(row, "children") or 0) >= view.children
    return enough and (view.visits == 0 or (number(row, "visits") or 0) >= view.visits)


def colour_scale(run: Run, question: int, view: ViewState) -> float:
    """Value at the upper end of the colour: 1, or the largest of all teachers in the question for `SCALED`.

    For KL, whose long tail would leave all else pale, it is the 95 % quantile. The scale does not depend on teacher or
    path, so that colours can be compared between them.
    """
    if view.colour not in SCALED:
        return 1.0
    scales = run.query("score_scales", question=question, objective=view.objective, convention=view.convention)
    return number(scales.iloc[0].to_dict(), SCALED[view.colour]) or 1.0
