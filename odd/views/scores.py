"""Token colours: the value on the colour scale, whether its sign is settled, and the legend.

A row is any mapping with columns of the query `path_rows`; missing columns are unknown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from odd.method.measures import MEASURES, Measure, colours
from odd.store.run import Run
from odd.views.links import ViewState

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Legend:
    """Description of a colour scale.

    Attributes:
        name: name of the measure.
        symbol: short name for axes.
        unit: unit; empty for a pure number.
        low: what the low end means.
        high: what the high end means.
        kind: diverging from -1 to 1, success from 0 to 1, or sequential from 0 to 1.
        centre: value in the middle of a diverging scale.
        interval: whether an interval decides if the sign is settled.
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
    """The legend of a measure's colour."""
    one = MEASURES[colour]
    words = one.name, one.symbol, one.unit, one.low, one.high
    return Legend(*words, one.kind, one.centre, interval=one.settled_by is not None)


def number(row: Row, name: str) -> float | None:
    """A column as a float; None where it is missing, NULL or not finite."""
    value = row.get(name)
    try:
        found = float(value)  # type: ignore[arg-type]
    except TypeError:
        return None
    return found if math.isfinite(found) else None


def raw_value(colour: str, row: Row) -> float | None:
    """Value of the measure in its unit; None if unknown."""
    measure = MEASURES[colour]
    value, less = number(row, measure.column), number(row, measure.minus) if measure.minus else 0.0
    return None if value is None or less is None else value - less


def colour_value(colour: str, row: Row, scale: float = 1.0) -> float | None:
    """Value of the measure on its colour scale: -1 to 1 if diverging, else 0 to 1; None without an estimate.

    Args:
        colour: key of the measure.
        row: row of the token.
        scale: value at the upper end, from `colour_scale`.
    """
    value, centre = raw_value(colour, row), MEASURES[colour].centre
    return None if value is None else min(1.0, max(-1.0, (value - centre) / (scale - centre)))


def colour_interval(colour: str, row: Row, scale: float = 1.0) -> list[float] | None:
    """Ends of the measure's interval on the colour scale; None if it has none."""
    ends, centre = [short(row, name) for name in MEASURES[colour].interval or ()], MEASURES[colour].centre
    known = [min(1.0, max(-1.0, (end - centre) / (scale - centre))) for end in ends if end is not None]
    return known if len(known) == 2 else None


def settled(colour: str, row: Row) -> bool | None:
    """Whether the deciding 95% interval excludes 0; None if the measure has no interval or no estimate."""
    ends = MEASURES[colour].settled_by
    if ends is None or raw_value(colour, row) is None:
        return None
    low, high = (number(row, end) for end in ends)
    return None if low is None or high is None else low > 0 or high < 0


def passes(row: Row, view: ViewState) -> bool:
    """Whether a token passes the colour filters. Scores need two children, so a minimum of 2 filters nothing."""
    if view.decisions and not number(row, "decision"):
        return False
    enough = view.children <= 2 or (number(row, "children") or 0) >= view.children
    return enough and (view.visits == 0 or (number(row, "visits") or 0) >= view.visits)


def colour_scale(run: Run, question: int, view: ViewState) -> float:
    """Value at the upper end of the colour scale: fixed per measure, or per question over all teachers.

    The scale does not depend on teacher or path, so colours are comparable between them.
    """
    measure = MEASURES[view.colour]
    if measure.scale == "fixed":
        return measure.end
    scales = run.query("score_scales", question=question, objective=view.objective, convention=view.convention)
    return number(scales.iloc[0].to_dict(), measure.key) or measure.end


def short(row: Row, name: str) -> float | None:
    """A column rounded to four significant digits; None if unknown."""
    value = number(row, name)
    return None if value is None else float(f"{value:.4g}")


def shorts(rows: Sequence[Row], names: Sequence[str]) -> list[list[float | None]]:
    """Apply `short` to several columns of many rows, vectorised: a page has thousands of numbers."""
    known = [[np.nan if (value := number(row, name)) is None else value for name in names] for row in rows]
    values = np.array(known, dtype=float).reshape(len(rows), len(names))
    with np.errstate(divide="ignore"):
        digits = 3 - np.floor(np.log10(np.abs(values)))
    # scale by whole powers of ten: dividing by one gives the float nearest to the decimal digits
    power = 10.0 ** np.clip(np.nan_to_num(np.abs(digits)), 0, 300)
    rounded = np.where(digits >= 0, np.rint(values * power) / power, np.rint(values / power) * power)
    return [[None if value != value else value for value in row] for row in rounded.tolist()]


def table(columns: Sequence[str], rows: Sequence[Sequence[Any] | None]) -> dict[str, Any]:
    """Compact table of many records: field names are stored once, and a row of None is a missing record.

    `records` restores them, here and in common.js.
    """
    return {"columns": list(columns), "rows": list(rows)}


def records(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of a `table`; missing ones are empty."""
    return [{} if row is None else dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]


def offered_colours(run: Run) -> dict[str, Measure]:
    """Return the measures that tokens of a run can be coloured by."""
    has_influence = not run.query("influence_objectives").empty
    return {key: one for key, one in colours().items() if has_influence or not one.optional}


def known_measures(measures: Sequence[Measure], rows: Sequence[Row]) -> list[Measure]:
    """Return the measures without the optional ones of which no row has a value."""
    return [one for one in measures if not one.optional or any(number(row, one.column) is not None for row in rows)]


def facts(measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """How a component formats measures: columns, names, digits and units."""
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
