"""Panels of estimates: their axes, the line of no effect, and a dash where a row has no value.

Layouts are written down whole, as plotly takes its time for each later change of a figure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from odd.findings.statistics import Estimate
from odd.text import plotly_escaped
from odd.views.components.palette import NEUTRAL

LONGEST = 26
"""Characters of a name that is beside something else."""
LONG = 46
"""Characters of a row's name where there are few panels."""
FEW = 4
"""Panels beside each other that leave room for long names."""
ROW = 34
"""Pixels a row."""
HEAD, FOOT = 34, 86
"""Pixels of the legend above, and of the axis below each row of panels."""


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


def label(name: str, longest: int = LONGEST) -> str:
    """An untrusted name for an axis or legend, cut where it is long."""
    return plotly_escaped(name if len(name) <= longest else name[: longest - 1] + "…")


def frame(height: int, top: int = HEAD, foot: int = FOOT) -> dict[str, Any]:
    """Size, margins and legend, which all figures of the page share."""
    legend = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    legend |= {"itemclick": False, "itemdoubleclick": False}
    margin = {"l": 0, "r": 8, "t": top, "b": foot}
    return {"height": height, "margin": margin, "legend": legend, "hovermode": "closest"}


def axis(number: int) -> str:
    """How plotly numbers the axes of a panel."""
    return str(number + 1) if number else ""


def layout(rows: Sequence[str], blocks: Sequence[Sequence[Panel]], name: str) -> dict[str, Any]:
    """Layout of blocks of panels, one below the other.

    Args:
        rows: names, the first at the top.
        blocks: rows of equally many panels.
        name: of the vertical axis.
    """
    columns, count = len(blocks[0]), len(blocks)
    between = FOOT / (count * ROW * len(rows) + (count - 1) * FOOT)
    # plotly wants gaps as shares of a cell with its gap
    gap = {"ygap": count * between / (1 + between)} if count > 1 else {}
    grid = {"rows": count, "columns": columns, "pattern": "independent", "xgap": 0.12} | gap
    found: dict[str, Any] = {"grid": grid, "shapes": [], "annotations": []}
    for number, panel in enumerate(panel for block in blocks for panel in block):
        found[f"xaxis{axis(number)}"] = _across(panel)
        found[f"yaxis{axis(number)}"] = _down(rows, name if number % columns == 0 else None, columns)
        found["shapes"] += _no_effect(panel, axis(number))
        found["annotations"] += _missing(panel, axis(number))
    return found | frame(HEAD + count * (ROW * len(rows) + FOOT))


def _across(panel: Panel) -> dict[str, Any]:
    """The axis of the quantity; the line of no effect is always in view."""
    ends = [panel.null] if panel.null == panel.null else []
    for estimates in panel.series.values():
        ends += [end for one in estimates if one for end in (one.value, one.low, one.high) if end == end]
    ends += [end for floors in panel.floors.values() for one in floors if one for end in one]
    ends += [one[0] for one in panel.published if one]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.1
    title = {"text": f"{'<br>'.join(panel.title.rsplit(' ', 1))}<br><i>{panel.unit}</i>", "font": {"size": 12}}
    return {"range": [low - margin, high + margin], "title": title, "nticks": 4, "tickangle": 0, "zeroline": False}


def _down(rows: Sequence[str], name: str | None, columns: int) -> dict[str, Any]:
    """The axis of the rows, named at the left only."""
    longest = LONG if columns <= FEW else LONGEST
    # numbered rows, as plotly would take names that look like numbers or dates for such
    ticks = {"tickvals": list(range(len(rows))), "ticktext": [label(one, longest) for one in rows]}
    look = {"range": [len(rows) - 0.5, -0.5], "zeroline": False, "showgrid": False}
    return ticks | look | ({"showticklabels": False} if name is None else {"title": {"text": name}})


def _no_effect(panel: Panel, at: str) -> list[dict[str, Any]]:
    """The line of no effect, where there is one."""
    if panel.null != panel.null:
        return []
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dash"}
    place = {"x0": panel.null, "x1": panel.null, "xref": f"x{at}", "yref": f"y{at} domain"}
    return [{"type": "line", "y0": 0, "y1": 1, "line": line, "layer": "below"} | place]


def _missing(panel: Panel, at: str) -> list[dict[str, Any]]:
    """Say where a row has no value."""
    look = {"showarrow": False, "xanchor": "left", "xshift": 4, "font": {"size": 14, "color": NEUTRAL}, "text": "–"}
    place = {"x": panel.null if panel.null == panel.null else 0.0, "xref": f"x{at}", "yref": f"y{at}"}
    rows = []
    for row, found in enumerate(zip(*panel.series.values(), strict=True)):
        asked = [one for one in found if one is not None]
        if asked and all(one.value != one.value for one in asked):
            rows.append(row)
    return [look | place | {"y": row} for row in rows]
