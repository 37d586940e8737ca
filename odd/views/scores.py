"""What the colour of a token stands for: its value between its ends, whether its sign is settled, its legend.

A row is anything with the columns of the query `path_rows`; missing ones are unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from odd.method.measures import MEASURES, Measure
from odd.store.run import Run
from odd.views.links import ViewState

Row = Mapping[Any, Any]


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
        centre: value in the middle of a diverging colour.
        interval: whether the run holds intervals, without which no sign is called settled or not.
    """

    name: str
    symbol: str
    unit: str
    low: str
    high: str
    kind: Literal["diverging", "success", "sequential"]
    centre: float = 0.0
    interval: bool = False

    def payload(self, scale: float = 1.0) -> dict[str, Any]:
        """The legend for a component, with the values at its two ends."""
        return asdict(self) | {"ends": [2 * self.centre - scale if self.kind == "diverging" else 0.0, scale]}


def legend(colour: str) -> Legend:
    """The legend of a colour."""
    one = MEASURES[colour]
    words = one.name, one.symbol, one.unit, one.low, one.high
    return Legend(*words, one.kind, one.centre, interval=one.settled_by is not None)


def number(row: Row, name: str) -> float | None:
    """A column as a float; None where it is missing, NULL or NaN."""
    value = row.get(name)
    try:
        found = float(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return found if found == found else None


def raw_value(colour: str, row: Row) -> float | None:
    """The quantity in its own unit."""
    measure = MEASURES[colour]
    value, less = number(row, measure.column), number(row, measure.minus) if measure.minus else 0.0
    return None if value is None or less is None else value - less


def colour_value(colour: str, row: Row, scale: float = 1.0) -> float | None:
    """The quantity between the ends of its colour: -1 to 1 where that diverges, else 0 to 1; None without an estimate.

    Args:
        colour: what is shown.
        row: of the token.
        scale: value at the upper end, from `colour_scale`.
    """
    value, centre = raw_value(colour, row), MEASURES[colour].centre
    return None if value is None else min(1.0, max(-1.0, (value - centre) / (scale - centre)))


def colour_interval(colour: str, row: Row, scale: float = 1.0) -> list[float] | None:
    """The ends of the quantity's interval, on the scale of the colour; None where it has none."""
    ends, centre = [short(row, name) for name in MEASURES[colour].interval or ()], MEASURES[colour].centre
    known = [min(1.0, max(-1.0, (end - centre) / (scale - centre))) for end in ends if end is not None]
    return known if len(known) == 2 else None


def settled(colour: str, row: Row) -> bool | None:
    """Whether the 95% interval that decides excludes 0; None where the quantity has none, or no estimate."""
    ends = MEASURES[colour].settled_by
    if ends is None or raw_value(colour, row) is None:
        return None
    low, high = (number(row, end) for end in ends)
    return None if low is None or high is None else low > 0 or high < 0


def passes(row: Row, view: ViewState) -> bool:
    """Whether the filters let a token have a colour. Scores begin at two children: that minimum filters nothing."""
    if view.decisions and not number(row, "decision"):
        return False
    enough = view.children <= 2 or (number(row, "children") or 0) >= view.children
    return enough and (view.visits == 0 or (number(row, "visits") or 0) >= view.visits)


def colour_scale(run: Run, question: int, view: ViewState) -> float:
    """Value at the upper end of the colour: the measure's own, or the question's, over all teachers.

    The scale does not depend on teacher or path, so that colours can be compared between them.
    """
    measure = MEASURES[view.colour]
    if measure.scale == "fixed":
        return measure.end
    scales = run.query("score_scales", question=question, objective=view.objective, convention=view.convention)
    return number(scales.iloc[0].to_dict(), measure.key) or measure.end


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


def table(columns: Sequence[str], rows: Sequence[Sequence[Any] | None]) -> dict[str, Any]:
    """Many records of a payload, small: the names of their parts once; a row that is None is a record that is missing.

    `records` reads them by name, here and in common.js.
    """
    return {"columns": list(columns), "rows": list(rows)}


def records(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of a `table`; empty ones for those that are missing."""
    return [{} if row is None else dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def facts(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """How a component writes some measures: where their numbers are, and their names in few words."""
    return [
        {
            "column": one.column,
            "name": one.name,
            "short": one.short,
            "suffix": one.suffix,
            "digits": one.digits,
            "signed": one.signed,
            "interval": None if one.interval is None else list(one.interval),
        }
        for one in measures
    ]
