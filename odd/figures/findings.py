"""Figures of the page Findings: teachers as rows, a panel a measure, dots with 95 % intervals across questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from odd.components.palette import FAILURE, HARMFUL, HELPFUL, NEUTRAL, SUCCESS
from odd.display.spelling import plotly_escaped
from odd.statistics import Estimate

LONGEST = 22
ROW = 40
"""Pixels a teacher."""
HEAD, FOOT = 34, 86
"""Pixels of the legend above, and of the axis below each row of panels."""


@dataclass(frozen=True)
class Look:
    """How a series is drawn.

    Attributes:
        name: in the legend.
        colour: of dot and interval.
        symbol: of the dot.
        shift: downwards from the middle of the teacher's row.
    """

    name: str
    colour: str
    symbol: str
    shift: float = 0.0


STATES = {
    "above": Look("interval beyond the line: helpful", HELPFUL, "circle"),
    "below": Look("interval short of it: harmful", HARMFUL, "diamond"),
    "open": Look("interval across it: not told apart", NEUTRAL, "circle-open"),
}
PATHS = {
    "correct": Look("correct paths", SUCCESS, "circle", -0.14),
    "incorrect": Look("incorrect paths", FAILURE, "diamond", 0.14),
}
GAP = Look("incorrect − correct", NEUTRAL, "square")


@dataclass(frozen=True)
class Panel:
    """A measure of all teachers.

    Attributes:
        title: its name.
        unit: of its axis.
        null: the value that means no effect.
        series: estimates in the order of the teachers, by name of the series.
    """

    title: str
    unit: str
    null: float
    series: dict[str, Sequence[Estimate]]

    @property
    def first(self) -> Sequence[Estimate]:
        """The only series of a panel that has one."""
        return next(iter(self.series.values()))


def state(estimate: Estimate, null: float = 0.0) -> str:
    """Where the interval lies: above, below, or open for across or unknown."""
    if estimate.low > null:
        return "above"
    return "below" if estimate.high < null else "open"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, none at zero; an en dash where it is unknown."""
    if value != value:
        return "–"
    text = f"{abs(value):.{digits}f}"
    sign = "" if float(text) == 0 else "−" if value < 0 else "+"
    return sign + text


def written(estimate: Estimate, digits: int = 2, null: float = 0.0) -> str:
    """An estimate with its interval, where it has one; signed where 0 means no effect."""
    value, low, high = (
        signed(number, digits) if null == 0 else signed(number, digits).removeprefix("+")
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return value if estimate.low != estimate.low else f"{value} [{low}, {high}]"


def ranking(teachers: Sequence[str], panels: Sequence[Panel]) -> go.Figure:
    """A dot with its interval for each teacher and measure; colour and shape say on which side of no effect it lies.

    Args:
        teachers: names, the first at the top.
        panels: measures with a single series each.
    """
    traces = [_key(look) for look in STATES.values()]
    for panel, place in zip(panels, _places(len(panels)), strict=True):
        for key, look in STATES.items():
            chosen = [at for at, one in enumerate(panel.first) if state(one, panel.null) == key]
            traces.append(_dots(teachers, panel, panel.first, look, chosen) | place)
    return _laid_out(traces, teachers, [panels])


def outcomes(teachers: Sequence[str], panels: Sequence[Panel], differences: Sequence[Panel]) -> go.Figure:
    """Correct beside incorrect paths as paired dots, and below the difference of each pair with its own interval.

    Args:
        teachers: names, the first at the top.
        panels: measures with the series correct and incorrect.
        differences: the same measures, incorrect minus correct, with a single series each.
    """
    traces = [_key(look) for look in (*PATHS.values(), GAP)]
    every, places = range(len(teachers)), _places(2 * len(panels))
    for panel, place in zip(panels, places[: len(panels)], strict=True):
        traces.append(_links(panel) | place)
        traces += [_dots(teachers, panel, panel.series[kind], PATHS[kind], every) | place for kind in panel.series]
    for change, place in zip(differences, places[len(panels) :], strict=True):
        traces.append(_dots(teachers, change, change.first, GAP, every) | place)
    return _laid_out(traces, teachers, [panels, differences])


def _places(panels: int) -> list[dict[str, str]]:
    """Axes of each panel, from left to right and from top to bottom."""
    return [{"xaxis": f"x{number or ''}", "yaxis": f"y{number or ''}"} for number in (0, *range(2, panels + 1))]


def label(name: str) -> str:
    """A teacher's name for an axis, cut where it is long."""
    return plotly_escaped(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def _key(look: Look) -> dict[str, Any]:
    """An entry of the legend."""
    marker = {"color": look.colour, "symbol": look.symbol, "size": 9}
    return {"x": [None], "y": [None], "mode": "markers", "name": look.name, "marker": marker}


def _dots(
    teachers: Sequence[str], panel: Panel, estimates: Sequence[Estimate], look: Look, chosen: Sequence[int]
) -> dict[str, Any]:
    """Dots with intervals of the teachers that are chosen by number; undefined ones are left out."""
    picked = {at: estimates[at] for at in chosen if estimates[at].value == estimates[at].value}
    ends = [(one.value - one.low, one.high - one.value) if one.low == one.low else (0, 0) for one in picked.values()]
    hover = [
        f"<b>{label(teachers[at])}</b>{'' if look in STATES.values() else f' · {look.name}'}<br>"
        f"{panel.title} {written(one, 3, panel.null)}<br>n = {one.n} decision points, {one.clusters} questions"
        for at, one in picked.items()
    ]
    bars = {"arrayminus": [below for below, _ in ends], "array": [above for _, above in ends]}
    bars |= {"type": "data", "symmetric": False, "thickness": 2, "width": 0, "color": look.colour}
    line = {"width": 1.5, "color": look.colour}
    return {
        "x": [one.value for one in picked.values()],
        "y": [at + look.shift for at in picked],
        "mode": "markers",
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 7, "line": line},
        "error_x": bars,
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
        "showlegend": False,
    }


def _links(panel: Panel) -> dict[str, Any]:
    """Thin lines between the dots of a pair."""
    x: list[float | None] = []
    y: list[float | None] = []
    for at, pair in enumerate(zip(*panel.series.values(), strict=True)):
        x += [*(one.value for one in pair), None]
        y += [*(at + PATHS[kind].shift for kind in panel.series), None]
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    return {"x": x, "y": y, "mode": "lines", "line": line, "showlegend": False, "hoverinfo": "skip"}


def _missing(panel: Panel, axis: str) -> list[dict]:
    """Say where a teacher has no value."""
    look = {"showarrow": False, "xanchor": "left", "xshift": 4, "font": {"size": 14, "color": NEUTRAL}}
    place = {"x": panel.null, "xref": f"x{axis}", "yref": f"y{axis}", "text": "–"}
    return [place | look | {"y": at} for at, one in enumerate(panel.first) if one.value != one.value]


def _axes(teachers: Sequence[str], panel: Panel, axis: str, first: bool) -> dict[str, dict]:
    """Axes of a panel; the line of no effect is always in view."""
    ends = [panel.null]
    for estimates in panel.series.values():
        ends += [end for one in estimates for end in (one.value, one.low, one.high) if end == end]
    low, high = min(ends), max(ends)
    margin = 0.08 * (high - low) or 0.1
    title = {"text": f"{'<br>'.join(panel.title.rsplit(' ', 1))}<br><i>{panel.unit}</i>", "font": {"size": 12}}
    across = {"range": [low - margin, high + margin], "title": title, "nticks": 4, "tickangle": 0, "zeroline": False}
    # numbered rows, as plotly would take names that look like numbers or dates for such
    down = {"tickvals": list(range(len(teachers))), "ticktext": [label(teacher) for teacher in teachers]}
    down |= {"range": [len(teachers) - 0.5, -0.5], "zeroline": False, "showgrid": False}
    down |= {"title": {"text": "teacher"}} if first else {"showticklabels": False}
    return {f"xaxis{axis}": across, f"yaxis{axis}": down}


def _laid_out(traces: list[dict], teachers: Sequence[str], rows: Sequence[Sequence[Panel]]) -> go.Figure:
    """The rows of panels as a figure: made at once, as plotly takes its time for each later change of one."""
    shapes, annotations = [], []
    between = FOOT / (len(rows) * ROW * len(teachers) + (len(rows) - 1) * FOOT)
    # plotly wants gaps as shares of a cell with its gap
    layout: dict[str, Any] = {
        "grid": {"rows": len(rows), "columns": len(rows[0]), "pattern": "independent", "xgap": 0.12}
        | ({"ygap": len(rows) * between / (1 + between)} if len(rows) > 1 else {})
    }
    line = {"type": "line", "y0": 0, "y1": 1, "line": {"color": NEUTRAL, "width": 1.5, "dash": "dash"}}
    for number, panel in enumerate(panel for row in rows for panel in row):
        axis = str(number + 1) if number else ""
        layout |= _axes(teachers, panel, axis, first=number % len(rows[0]) == 0)
        place = {"xref": f"x{axis}", "yref": f"y{axis} domain"}
        shapes.append(line | place | {"x0": panel.null, "x1": panel.null})
        annotations += _missing(panel, axis) if len(panel.series) == 1 else []
    legend = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    legend |= {"itemclick": False, "itemdoubleclick": False}
    margin = {"l": 0, "r": 8, "t": HEAD, "b": FOOT}
    height = HEAD + len(rows) * (ROW * len(teachers) + FOOT)
    layout |= {"height": height, "margin": margin, "legend": legend, "hovermode": "closest"}
    return go.Figure(traces, layout | {"shapes": shapes, "annotations": annotations})
