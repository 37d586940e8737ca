"""Figures of estimates: one row per label, one panel per quantity, dots with 95% intervals across questions.

Behind the dots are the noise floor, which would contain 95% of the estimates if teacher and success were unrelated, and
the numbers of the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from odd.findings.statistics import Estimate
from odd.findings.written import signed, state, written
from odd.views.components.palette import FAILURE, HARMFUL, HELPFUL, IDEAL, NEUTRAL, SUCCESS, TEACHER
from odd.views.figures.panels import Panel, axis, label, layout

FLOOR_COLOUR = "rgba(138,148,166,0.28)"


@dataclass(frozen=True)
class Look:
    """How a series is drawn.

    Attributes:
        name: name in the legend.
        colour: colour of dot and interval.
        symbol: symbol of the dot.
        shift: offset downwards from the middle of the row.
    """

    name: str
    colour: str
    symbol: str
    shift: float = 0.0


STATES = {
    "above": Look("interval right of the line: helpful", HELPFUL, "circle"),
    "below": Look("interval left of the line: harmful", HARMFUL, "diamond"),
    "open": Look("interval across the line: inconclusive", NEUTRAL, "circle-open"),
}
PATHS = {
    "correct": Look("correct paths", SUCCESS, "circle", -0.14),
    "incorrect": Look("incorrect paths", FAILURE, "diamond", 0.14),
}
PLAIN = Look("estimate", IDEAL, "circle")
GAP = Look("incorrect − correct", NEUTRAL, "square")
RUNS = ((IDEAL, "circle"), (TEACHER, "diamond"), (HELPFUL, "square"), (HARMFUL, "triangle-up"))
PUBLISHED = Look("published", TEACHER, "x-thin")


def run_looks(names: Sequence[str]) -> dict[str, Look]:
    """Looks of several runs, side by side in each row."""
    shifts = [0.6 * (at + 0.5) / len(names) - 0.3 for at in range(len(names))]
    return {
        name: Look(label(name, 60), *RUNS[at % len(RUNS)], shift)
        for at, (name, shift) in enumerate(zip(names, shifts, strict=True))
    }


def dots(
    rows: Sequence[str],
    blocks: Sequence[Sequence[Panel]],
    looks: Mapping[str, Look] | None = None,
    name: str = "teacher",
    published: str = "",
) -> go.Figure:
    """A dot with its interval for each row, panel and series.

    Args:
        rows: row names, from top to bottom.
        blocks: rows of panels of the same number, one below the other.
        looks: looks of the series by name; None if each panel has one series, coloured by its side of the null value.
        name: title of the vertical axis.
        published: name of the paper's student and benchmark, for the legend.
    """
    panels = [panel for block in blocks for panel in block]
    traces = []
    for number, panel in enumerate(panels):
        place = {"xaxis": f"x{axis(number)}", "yaxis": f"y{axis(number)}"}
        traces += [trace | place for trace in _traces(rows, panel, looks)]
    traces += _legend(panels, looks, published)
    return go.Figure(traces, layout(rows, blocks, name))


def _traces(rows: Sequence[str], panel: Panel, looks: Mapping[str, Look] | None) -> list[dict[str, Any]]:
    """Traces of a panel, from back to front."""
    found = [
        _floor(floors, 0.0 if looks is None else looks[series].shift, len(panel.floors))
        for series, floors in panel.floors.items()
    ]
    found += [_published(rows, panel)] if any(panel.published) else []
    found += [_links(panel)] if list(panel.series) == list(PATHS) else []
    for series, estimates in panel.series.items():
        for look, chosen in _parts(panel, estimates, looks, series):
            found.append(_dots(rows, panel, estimates, look, chosen))
    return found


def _parts(
    panel: Panel, estimates: Sequence[Estimate | None], looks: Mapping[str, Look] | None, series: str
) -> list[tuple[Look, list[int]]]:
    """Looks, each with the rows that have it."""
    there = [at for at, one in enumerate(estimates) if one is not None]
    if looks is not None:
        return [(looks[series], there)]
    if not panel.judged or panel.null != panel.null:
        return [(PLAIN, there)]
    return [
        (look, [at for at in there if (one := estimates[at]) is not None and state(one, panel.null) == key])
        for key, look in STATES.items()
    ]


def _legend(panels: Sequence[Panel], looks: Mapping[str, Look] | None, published: str) -> list[dict[str, Any]]:
    """Legend entries for what is drawn."""
    shown = list(looks.values()) if looks is not None else []
    if looks is None and any(panel.judged and panel.null == panel.null for panel in panels):
        shown = list(STATES.values())
    entries = [_key(look) for look in shown]
    if any(one for panel in panels for floors in panel.floors.values() for one in floors):
        text = "noise floor: 95% range with success shuffled"
        line = {"color": FLOOR_COLOUR, "width": 12}
        entries.append({"x": [None], "y": [None], "mode": "lines", "line": line, "name": text})
    if any(one for panel in panels for one in panel.published):
        entries.append(_key(Look(f"published: {published}", PUBLISHED.colour, PUBLISHED.symbol)))
    return entries


def _key(look: Look) -> dict[str, Any]:
    return {"x": [None], "y": [None], "mode": "markers", "name": look.name, "marker": _marker(look, 9)}


def _marker(look: Look, size: int = 7) -> dict[str, Any]:
    line = {"width": 1.5, "color": look.colour}
    return {"color": look.colour, "symbol": look.symbol, "size": size, "line": line}


def _dots(
    rows: Sequence[str], panel: Panel, estimates: Sequence[Estimate | None], look: Look, chosen: Sequence[int]
) -> dict[str, Any]:
    """Dots with intervals for the chosen row numbers; undefined ones are left out."""
    picked = {at: one for at in chosen if (one := estimates[at]) is not None and one.value == one.value}
    ends = [(one.value - one.low, one.high - one.value) if one.low == one.low else (0, 0) for one in picked.values()]
    named = look in STATES.values() or look is PLAIN
    hover = [
        f"<b>{label(rows[at], 60)}</b>{'' if named else f' · {look.name}'}<br>"
        f"{panel.title} {written(one, panel.digits, panel.null)}<br>n = {one.n:,}, {one.clusters} questions"
        for at, one in picked.items()
    ]
    bars = {"arrayminus": [below for below, _ in ends], "array": [above for _, above in ends]}
    bars |= {"type": "data", "symmetric": False, "thickness": 2, "width": 0, "color": look.colour}
    return {
        "x": [one.value for one in picked.values()],
        "y": [at + look.shift for at in picked],
        "mode": "markers",
        "marker": _marker(look),
        "error_x": bars,
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _floor(floors: Sequence[tuple[float, float] | None], shift: float, series: int) -> dict[str, Any]:
    """Thick bars for the noise floor."""
    x: list[float | None] = []
    y: list[float | None] = []
    for at, ends in enumerate(floors):
        if ends is not None:
            x += [*ends, None]
            y += [at + shift, at + shift, None]
    line = {"color": FLOOR_COLOUR, "width": 16 if series == 1 else 8}
    return {"x": x, "y": y, "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip"}


def _published(rows: Sequence[str], panel: Panel) -> dict[str, Any]:
    """Crosses at the numbers of the paper, below the middle of each row."""
    known = {at: one for at, one in enumerate(panel.published) if one is not None}
    hover = [
        f"<b>{label(rows[at], 60)}</b> · published<br>{panel.title} {signed(value, panel.digits)}"
        for at, (value, _) in known.items()
    ]
    widths = [width if width == width else 0 for _, width in known.values()]
    return {
        "x": [value for value, _ in known.values()],
        "y": [at + 0.33 for at in known],
        "mode": "markers",
        "marker": _marker(PUBLISHED),
        "error_x": {"type": "data", "array": widths, "thickness": 1, "width": 0, "color": PUBLISHED.colour},
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _links(panel: Panel) -> dict[str, Any]:
    """Thin lines between the dots of a pair."""
    x: list[float | None] = []
    y: list[float | None] = []
    for at, pair in enumerate(zip(*panel.series.values(), strict=True)):
        x += [*(None if one is None else one.value for one in pair), None]
        y += [*(at + PATHS[kind].shift for kind in panel.series), None]
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    return {"x": x, "y": y, "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip"}
