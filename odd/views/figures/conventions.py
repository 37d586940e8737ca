"""The range-weighted cosine of every teacher under every convention, as a heat map."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from odd.findings.statistics import Estimate
from odd.findings.written import signed, state
from odd.views.components.palette import NEUTRAL, SOLID_SCALE, ink
from odd.views.figures.panels import frame, label

ROW, HEAD, FOOT = 26, 60, 58
"""Pixels per convention, above the map and below it."""
SURE = "●"
"""Marks an interval that excludes 0."""


def convention_map(runs: Mapping[str, Mapping[str, Mapping[str, Estimate]]]) -> go.Figure:
    """A column per teacher, a row per convention, side by side for several runs.

    Args:
        runs: estimates by run name, convention and teacher.
    """
    titles = [label(name, 60) for name in runs] if len(runs) > 1 else None
    figure = make_subplots(rows=1, cols=max(1, len(runs)), shared_yaxes=True, subplot_titles=titles,
                           horizontal_spacing=0.03)  # fmt: skip
    conventions = list(dict.fromkeys(name for table in runs.values() for name in table))
    known = [one.value for table in runs.values() for row in table.values() for one in row.values() if one.n]
    limit = max((abs(value) for value in known), default=1.0) or 1.0
    for column, table in enumerate(runs.values(), 1):
        figure.add_trace(_heat(conventions, table, limit, column == len(runs)), row=1, col=column)
        figure.add_trace(_texts(conventions, table, limit), row=1, col=column)
        teachers = _teachers(table)
        ticks = {"tickvals": list(range(len(teachers))), "ticktext": [label(name) for name in teachers]}
        ticks["range"] = [-0.5, len(teachers) - 0.5]
        figure.update_xaxes(title="teacher", side="bottom", showgrid=False, zeroline=False, row=1, col=column, **ticks)
    rows = {"tickvals": list(range(len(conventions))), "ticktext": [label(name, 60) for name in conventions]}
    figure.update_yaxes(range=[len(conventions) - 0.5, -0.5], showgrid=False, zeroline=False, **rows)
    figure.update_yaxes(title="convention", col=1)
    top = HEAD if titles else 10
    return figure.update_layout(frame(top + FOOT + ROW * max(1, len(conventions)), top=top, foot=FOOT))


def _teachers(table: Mapping[str, Mapping[str, Estimate]]) -> list[str]:
    return list(dict.fromkeys(name for row in table.values() for name in row))


def _heat(conventions: list[str], table: Mapping[str, Mapping[str, Estimate]], limit: float, scale: bool) -> go.Heatmap:
    teachers = _teachers(table)
    cells = [[table.get(name, {}).get(teacher) for teacher in teachers] for name in conventions]
    values = [[None if one is None or not one.n else one.value for one in row] for row in cells]
    hover = [
        [
            ""
            if one is None
            else f"<b>{label(teacher, 60)}</b> · {label(name, 60)}<br>{signed(one.value, 3)} "
            f"[{signed(one.low, 3)}, {signed(one.high, 3)}], n = {one.n:,}"
            for teacher, one in zip(teachers, row, strict=True)
        ]
        for name, row in zip(conventions, cells, strict=True)
    ]
    bar = {"title": {"text": "range-weighted<br>cosine"}, "thickness": 12}
    return go.Heatmap(
        x=list(range(len(teachers))), y=list(range(len(conventions))), z=values, zmin=-limit, zmax=limit,
        colorscale=SOLID_SCALE, hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>", showscale=scale, colorbar=bar, xgap=2, ygap=2,
    )  # fmt: skip


def _texts(conventions: list[str], table: Mapping[str, Mapping[str, Estimate]], limit: float) -> go.Scatter:
    """The numbers, each in a colour that is readable on its cell; the page's text colour is not on strong ones."""
    found = [(x, y, table.get(name, {}).get(teacher))
             for y, name in enumerate(conventions) for x, teacher in enumerate(_teachers(table))]  # fmt: skip
    colours = [ink(one.value / limit) if one and one.n else NEUTRAL for *_, one in found]
    return go.Scatter(
        x=[x for x, *_ in found], y=[y for _, y, _ in found], text=[_text(one) for *_, one in found],
        textfont={"color": colours}, mode="text", hoverinfo="skip", showlegend=False,
    )  # fmt: skip


def _text(one: Estimate | None) -> str:
    if one is None or not one.n:
        return "–"
    return f"{signed(one.value)} {SURE if state(one) != 'open' else ''}"
