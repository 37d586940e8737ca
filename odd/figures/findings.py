"""Figures of the page Findings: teachers as rows, a panel a measure, dots with 95 % intervals across questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

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
    figure = make_subplots(rows=1, cols=len(panels), shared_yaxes=True, horizontal_spacing=0.025)
    figure.add_traces([_key(look) for look in STATES.values()])
    for column, panel in enumerate(panels, 1):
        for key, look in STATES.items():
            chosen = [at for at, one in enumerate(panel.first) if state(one, panel.null) == key]
            figure.add_trace(_dots(teachers, panel, panel.first, look, chosen), row=1, col=column)
        _frame(figure, teachers, panel, (1, column))
        _missing(figure, panel, panel.first, (1, column))
    return _finish(figure, len(teachers), 1)


def outcomes(teachers: Sequence[str], panels: Sequence[Panel], differences: Sequence[Panel]) -> go.Figure:
    """Correct beside incorrect paths as paired dots, and below the difference of each pair with its own interval.

    Args:
        teachers: names, the first at the top.
        panels: measures with the series correct and incorrect.
        differences: the same measures, incorrect minus correct, with a single series each.
    """
    plots = 2 * ROW * len(teachers) + FOOT
    figure = make_subplots(
        rows=2, cols=len(panels), shared_yaxes=True, horizontal_spacing=0.025, vertical_spacing=FOOT / plots
    )
    figure.add_traces([_key(look) for look in (*PATHS.values(), GAP)])
    every = range(len(teachers))
    for column, (panel, change) in enumerate(zip(panels, differences, strict=True), 1):
        figure.add_trace(_links(panel), row=1, col=column)
        for kind, estimates in panel.series.items():
            figure.add_trace(_dots(teachers, panel, estimates, PATHS[kind], every), row=1, col=column)
        _frame(figure, teachers, panel, (1, column))
        figure.add_trace(_dots(teachers, change, change.first, GAP, every), row=2, col=column)
        _frame(figure, teachers, change, (2, column))
        _missing(figure, change, change.first, (2, column))
    return _finish(figure, len(teachers), 2)


def label(name: str) -> str:
    """A teacher's name for an axis, cut where it is long."""
    return plotly_escaped(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def _key(look: Look) -> go.Scatter:
    """An entry of the legend."""
    marker = {"color": look.colour, "symbol": look.symbol, "size": 9}
    return go.Scatter(x=[None], y=[None], mode="markers", name=look.name, marker=marker)


def _dots(
    teachers: Sequence[str], panel: Panel, estimates: Sequence[Estimate], look: Look, chosen: Sequence[int]
) -> go.Scatter:
    """Dots with intervals of the teachers that are chosen by number; undefined ones are left out."""
    picked = {at: estimates[at] for at in chosen if estimates[at].value == estimates[at].value}
    ends = [(one.value - one.low, one.high - one.value) if one.low == one.low else (0, 0) for one in picked.values()]
    hover = [
        f"<b>{label(teachers[at])}</b>{'' if look in STATES.values() else f' · {look.name}'}<br>"
        f"{panel.title} {written(one, 3, panel.null)}<br>n = {one.n} decision points, {one.clusters} questions"
        for at, one in picked.items()
    ]
    return go.Scatter(
        x=[one.value for one in picked.values()], y=[at + look.shift for at in picked], mode="markers",
        marker={"color": look.colour, "symbol": look.symbol, "size": 7, "line": {"width": 1.5, "color": look.colour}},
        error_x={"type": "data", "arrayminus": [below for below, _ in ends], "array": [above for _, above in ends],
                 "symmetric": False, "thickness": 2, "width": 0, "color": look.colour},
        hovertext=hover, hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _links(panel: Panel) -> go.Scatter:
    """Thin lines between the dots of a pair."""
    x: list[float | None] = []
    y: list[float | None] = []
    for at, pair in enumerate(zip(*panel.series.values(), strict=True)):
        x += [*(one.value for one in pair), None]
        y += [*(at + PATHS[kind].shift for kind in panel.series), None]
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    return go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")


def _missing(figure: go.Figure, panel: Panel, estimates: Sequence[Estimate], place: tuple[int, int]) -> None:
    """Say where a teacher has no value."""
    look = {"showarrow": False, "xanchor": "left", "xshift": 4, "font": {"size": 14, "color": NEUTRAL}}
    for at, one in enumerate(estimates):
        if one.value != one.value:
            figure.add_annotation(x=panel.null, y=at, text="–", row=place[0], col=place[1], **look)


def _frame(figure: go.Figure, teachers: Sequence[str], panel: Panel, place: tuple[int, int]) -> None:
    """Axes of a panel; the line of no effect is always in view."""
    row, column = place
    ends = [panel.null]
    for estimates in panel.series.values():
        ends += [end for one in estimates for end in (one.value, one.low, one.high) if end == end]
    low, high = min(ends), max(ends)
    margin = 0.08 * (high - low) or 0.1
    title = {"text": f"{'<br>'.join(panel.title.rsplit(' ', 1))}<br><i>{panel.unit}</i>", "font": {"size": 12}}
    axis = {"range": [low - margin, high + margin], "title": title, "nticks": 4, "tickangle": 0, "zeroline": False}
    figure.update_xaxes(row=row, col=column, **axis)
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dash"}
    figure.add_vline(x=panel.null, line=line, row=row, col=column)  # type: ignore[arg-type]
    # numbered rows, as plotly would take names that look like numbers or dates for such
    names = {"tickvals": list(range(len(teachers))), "ticktext": [label(teacher) for teacher in teachers]}
    names |= {"title": "teacher" if column == 1 else None, "zeroline": False, "showgrid": False}
    figure.update_yaxes(range=[len(teachers) - 0.5, -0.5], row=row, col=column, **names)


def _finish(figure: go.Figure, teachers: int, rows: int) -> go.Figure:
    above = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    still = {"itemclick": False, "itemdoubleclick": False}
    margin = {"l": 0, "r": 8, "t": HEAD, "b": FOOT}
    height = HEAD + rows * (ROW * teachers + FOOT)
    return figure.update_layout(height=height, margin=margin, legend={**above, **still}, hovermode="closest")
