"""Figures of estimates: rows down, a panel a quantity, dots with 95 % intervals across questions.

Behind the dots lie the noise floor, where 95 % of an estimate would fall if teacher and success were unrelated, and
the numbers of the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from odd.components.palette import FAILURE, HARMFUL, HELPFUL, IDEAL, NEUTRAL, SUCCESS, TEACHER
from odd.display.spelling import plotly_escaped
from odd.figures.written import signed, state, written
from odd.statistics import Estimate

LONGEST = 26
"""Characters of a name that is beside something else."""
LONG = 46
"""Characters of a row's name where there are few panels."""
FEW_PANELS = 4
ROW = 34
"""Pixels a row."""
HEAD, FOOT = 34, 86
"""Pixels of the legend above, and of the axis below each row of panels."""
FLOOR_COLOUR = "rgba(138,148,166,0.28)"


@dataclass(frozen=True)
class Look:
    """How a series is drawn.

    Attributes:
        name: in the legend.
        colour: of dot and interval.
        symbol: of the dot.
        shift: downwards from the middle of the row.
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
PLAIN = Look("estimate", IDEAL, "circle")
GAP = Look("incorrect − correct", NEUTRAL, "square")
RUNS = ((IDEAL, "circle"), (TEACHER, "diamond"), (HELPFUL, "square"), (HARMFUL, "triangle-up"))
PUBLISHED = Look("published", TEACHER, "x-thin")


@dataclass(frozen=True)
class Panel:
    """A quantity of all rows.

    Attributes:
        title: its name.
        unit: of its axis.
        null: the value that means no effect; NaN if there is none.
        series: estimates in the order of the rows, by name of the series; None where a row has none.
        floors: ends of the noise floor in the order of the rows, by name of the series; None where there is none.
        published: value and half width of the paper in the order of the rows; None where there is none.
        judged: whether the side of the null value on which an interval lies colours it, where there is one series.
        digits: after the point, in the texts that are shown on pointing.
    """

    title: str
    unit: str
    null: float
    series: Mapping[str, Sequence[Estimate | None]]
    floors: Mapping[str, Sequence[tuple[float, float] | None]] = field(default_factory=dict)
    published: Sequence[tuple[float, float] | None] = ()
    judged: bool = True
    digits: int = 3


def run_looks(names: Sequence[str]) -> dict[str, Look]:
    """Looks of several runs, beside each other in each row."""
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
        rows: names, the first at the top.
        blocks: rows of panels, one below the other.
        looks: of the series by name; None: each panel has one, and its side of no effect colours it.
        name: of the vertical axis.
        published: what the numbers of the paper are of, for the legend.
    """
    columns = max(map(len, blocks))
    plots = len(blocks) * ROW * len(rows) + FOOT * (len(blocks) - 1)
    gap = FOOT / plots if len(blocks) > 1 else 0.0
    figure = make_subplots(
        rows=len(blocks), cols=columns, shared_yaxes=True, horizontal_spacing=0.025, vertical_spacing=gap
    )
    for at, panels in enumerate(blocks, 1):
        for column, panel in enumerate(panels, 1):
            _draw_panel(figure, rows, panel, looks, (at, column))
            _frame(figure, panel, (at, column))
            _rows(figure, rows, (at, column), name, LONG if columns <= FEW_PANELS else LONGEST)
    every = [panel for panels in blocks for panel in panels]
    figure.add_traces(_legend(every, looks, published))
    return finish(figure, HEAD + len(blocks) * (ROW * len(rows) + FOOT))


def label(name: str, longest: int = LONGEST) -> str:
    """An untrusted name for an axis or legend, cut where it is long."""
    return plotly_escaped(name if len(name) <= longest else name[: longest - 1] + "…")


def finish(figure: go.Figure, height: int) -> go.Figure:
    """Size, margins and legend, which all figures of the page share."""
    above = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    still = {"itemclick": False, "itemdoubleclick": False}
    margin = {"l": 0, "r": 8, "t": HEAD, "b": FOOT}
    return figure.update_layout(height=height, margin=margin, legend={**above, **still}, hovermode="closest")


def _draw_panel(
    figure: go.Figure, rows: Sequence[str], panel: Panel, looks: Mapping[str, Look] | None, place: tuple[int, int]
) -> None:
    row, col = place
    for series, floors in panel.floors.items():
        look = (looks or {}).get(series, PLAIN)
        figure.add_trace(_floor(floors, 0.0 if looks is None else look.shift, len(panel.floors)), row=row, col=col)
    if any(panel.published):
        figure.add_trace(_published(rows, panel), row=row, col=col)
    if looks is not None and list(looks) == list(PATHS):
        figure.add_trace(_links(panel), row=row, col=col)
    for series, estimates in panel.series.items():
        for look, chosen in _parts(panel, estimates, looks, series):
            figure.add_trace(_dots(rows, panel, estimates, look, chosen), row=row, col=col)
    _missing(figure, panel, place)


def _parts(
    panel: Panel, estimates: Sequence[Estimate | None], looks: Mapping[str, Look] | None, series: str
) -> list[tuple[Look, list[int]]]:
    """Looks and the rows that have them."""
    there = [at for at, one in enumerate(estimates) if one is not None]
    if looks is not None:
        return [(looks[series], there)]
    if not panel.judged or panel.null != panel.null:
        return [(PLAIN, there)]
    return [
        (look, [at for at in there if (one := estimates[at]) is not None and state(one, panel.null) == key])
        for key, look in STATES.items()
    ]


def _legend(panels: Sequence[Panel], looks: Mapping[str, Look] | None, published: str) -> list[go.Scatter]:
    """Entries of the legend for what is drawn."""
    shown = list(looks.values()) if looks is not None else []
    if looks is None and any(panel.judged and panel.null == panel.null for panel in panels):
        shown = list(STATES.values())
    entries = [_key(look) for look in shown]
    if any(one for panel in panels for floors in panel.floors.values() for one in floors):
        entries.append(go.Scatter(x=[None], y=[None], mode="lines", line={"color": FLOOR_COLOUR, "width": 12},
                                  name="noise floor: 95 % if success were shuffled"))  # fmt: skip
    if any(one for panel in panels for one in panel.published):
        entries.append(_key(Look(f"published: {published}", PUBLISHED.colour, PUBLISHED.symbol)))
    return entries


def _key(look: Look) -> go.Scatter:
    marker = {"color": look.colour, "symbol": look.symbol, "size": 9, "line": {"width": 1.5, "color": look.colour}}
    return go.Scatter(x=[None], y=[None], mode="markers", name=look.name, marker=marker)


def _dots(
    rows: Sequence[str], panel: Panel, estimates: Sequence[Estimate | None], look: Look, chosen: Sequence[int]
) -> go.Scatter:
    """Dots with intervals of the rows that are chosen by number; undefined ones are left out."""
    picked = {at: one for at in chosen if (one := estimates[at]) is not None and one.value == one.value}
    ends = [(one.value - one.low, one.high - one.value) if one.low == one.low else (0, 0) for one in picked.values()]
    named = look in STATES.values() or look is PLAIN
    hover = [
        f"<b>{label(rows[at], 60)}</b>{'' if named else f' · {look.name}'}<br>"
        f"{panel.title} {written(one, panel.digits, panel.null)}<br>n = {one.n:,}, {one.clusters} questions"
        for at, one in picked.items()
    ]
    return go.Scatter(
        x=[one.value for one in picked.values()], y=[at + look.shift for at in picked], mode="markers",
        marker={"color": look.colour, "symbol": look.symbol, "size": 7, "line": {"width": 1.5, "color": look.colour}},
        error_x={"type": "data", "arrayminus": [below for below, _ in ends], "array": [above for _, above in ends],
                 "symmetric": False, "thickness": 2, "width": 0, "color": look.colour},
        hovertext=hover, hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _floor(floors: Sequence[tuple[float, float] | None], shift: float, series: int) -> go.Scatter:
    """Broad bars where the noise floor lies."""
    x: list[float | None] = []
    y: list[float | None] = []
    for at, ends in enumerate(floors):
        if ends is not None:
            x += [*ends, None]
            y += [at + shift, at + shift, None]
    line = {"color": FLOOR_COLOUR, "width": 16 if series == 1 else 8}
    return go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")


def _published(rows: Sequence[str], panel: Panel) -> go.Scatter:
    """Crosses at the numbers of the paper, below the middle of each row."""
    known = {at: one for at, one in enumerate(panel.published) if one is not None}
    widths = [width if width == width else 0 for _, width in known.values()]
    return go.Scatter(
        x=[value for value, _ in known.values()], y=[at + 0.33 for at in known], mode="markers",
        marker={"color": PUBLISHED.colour, "symbol": PUBLISHED.symbol, "size": 7,
                "line": {"width": 1.5, "color": PUBLISHED.colour}},
        error_x={"type": "data", "array": widths, "thickness": 1, "width": 0, "color": PUBLISHED.colour},
        hovertext=[f"<b>{label(rows[at], 60)}</b> · published<br>{panel.title} {signed(value, panel.digits)}"
                   for at, (value, _) in known.items()],
        hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _links(panel: Panel) -> go.Scatter:
    """Thin lines between the dots of a pair."""
    x: list[float | None] = []
    y: list[float | None] = []
    for at, pair in enumerate(zip(*panel.series.values(), strict=True)):
        x += [*(None if one is None else one.value for one in pair), None]
        y += [*(at + PATHS[kind].shift for kind in panel.series), None]
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    return go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")


def _missing(figure: go.Figure, panel: Panel, place: tuple[int, int]) -> None:
    """Say where a row has no value."""
    look = {"showarrow": False, "xanchor": "left", "xshift": 4, "font": {"size": 14, "color": NEUTRAL}}
    for at, found in enumerate(zip(*panel.series.values(), strict=True)):
        asked = [one for one in found if one is not None]
        if asked and all(one.value != one.value for one in asked):
            x = panel.null if panel.null == panel.null else 0.0
            figure.add_annotation(x=x, y=at, text="–", row=place[0], col=place[1], **look)


def _frame(figure: go.Figure, panel: Panel, place: tuple[int, int]) -> None:
    """Axis of a panel; the line of no effect is always in view."""
    row, column = place
    ends = [panel.null] if panel.null == panel.null else []
    for estimates in panel.series.values():
        ends += [end for one in estimates if one for end in (one.value, one.low, one.high) if end == end]
    ends += [end for floors in panel.floors.values() for one in floors if one for end in one]
    ends += [value for one in panel.published if one for value in (one[0],)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.1
    title = {"text": f"{'<br>'.join(panel.title.rsplit(' ', 1))}<br><i>{panel.unit}</i>", "font": {"size": 12}}
    axis = {"range": [low - margin, high + margin], "title": title, "nticks": 4, "tickangle": 0, "zeroline": False}
    figure.update_xaxes(row=row, col=column, **axis)
    if panel.null == panel.null:
        line = {"color": NEUTRAL, "width": 1.5, "dash": "dash"}
        figure.add_vline(x=panel.null, line=line, row=row, col=column)  # type: ignore[arg-type]


def _rows(figure: go.Figure, rows: Sequence[str], place: tuple[int, int], name: str, longest: int) -> None:
    """Names of the rows."""
    row, column = place
    # numbered rows, as plotly would take names that look like numbers or dates for such
    names = {"tickvals": list(range(len(rows))), "ticktext": [label(one, longest) for one in rows]}
    names |= {"title": name if column == 1 else None, "zeroline": False, "showgrid": False}
    figure.update_yaxes(range=[len(rows) - 0.5, -0.5], row=row, col=column, **names)
