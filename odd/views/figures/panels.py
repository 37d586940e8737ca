"""Panels of estimates: their axes, the line of no effect, and a dash where a row has no value.

Layouts are built in one go, because every later change to a plotly figure is slow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from odd.findings.statistics import Estimate
from odd.text import plotly_escaped
from odd.views.components.palette import NEUTRAL

LONGEST = 26
"""Maximum length of a name next to other panels, in characters."""
LONG = 46
"""Maximum length of a row name if there are few panels, in characters."""
FEW = 4
"""Maximum number of panels side by side that leaves room for long names."""
ROW = 34
"""Pixels per row."""
HEAD, FOOT = 34, 86
"""Pixels of the legend above, and of the axis below each row of panels."""


@dataclass(frozen=True)
class Panel:
    """A quantity of all rows.

    Attributes:
        title: name of the quantity.
        unit: unit of the axis.
        null: the value that means no effect; NaN if there is none.
        series: estimates in row order, by series name; None for rows without one.
        floors: ends of the noise floor in row order, by series name; None for rows without one.
        published: value and half-width from the paper in row order; None for rows without one.
        judged: whether an interval is coloured by its side of the null value, if there is one series.
        digits: decimals in hover texts.
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
    """Truncate and escape an untrusted name for an axis or legend."""
    return plotly_escaped(name if len(name) <= longest else name[: longest - 1] + "…")


def frame(height: int, top: int = HEAD, foot: int = FOOT) -> dict[str, Any]:
    """Size, margins and legend, shared by all figures of the page."""
    legend = {"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    legend |= {"itemclick": False, "itemdoubleclick": False}
    margin = {"l": 0, "r": 8, "t": top, "b": foot}
    return {"height": height, "margin": margin, "legend": legend, "hovermode": "closest"}


def axis(number: int) -> str:
    """Plotly's suffix for the axes of a panel."""
    return str(number + 1) if number else ""


def layout(rows: Sequence[str], blocks: Sequence[Sequence[Panel]], name: str) -> dict[str, Any]:
    """Layout of blocks of panels, one below the other.

    Args:
        rows: row names, from top to bottom.
        blocks: rows of panels of the same number.
        name: title of the vertical axis.
    """
    columns, count = len(blocks[0]), len(blocks)
    between = FOOT / (count * ROW * len(rows) + (count - 1) * FOOT)
    # plotly expects gaps as fractions of a cell plus its gap
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
    """The axis of the quantity; its range always includes the line of no effect."""
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
    """The axis of the rows, labelled in the leftmost panel only."""
    longest = LONG if columns <= FEW else LONGEST
    # rows are numbered, because plotly would parse names that look like numbers or dates
    ticks = {"tickvals": list(range(len(rows))), "ticktext": [label(one, longest) for one in rows]}
    look = {"range": [len(rows) - 0.5, -0.5], "zeroline": False, "showgrid": False}
    return ticks | look | ({"showticklabels": False} if name is None else {"title": {"text": name}})


def _no_effect(panel: Panel, at: str) -> list[dict[str, Any]]:
    """The line of no effect, if there is one."""
    if panel.null != panel.null:
        return []
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dash"}
    place = {"x0": panel.null, "x1": panel.null, "xref": f"x{at}", "yref": f"y{at} domain"}
    return [{"type": "line", "y0": 0, "y1": 1, "line": line, "layer": "below"} | place]


def _missing(panel: Panel, at: str) -> list[dict[str, Any]]:
    """Dashes for rows without a value."""
    look = {"showarrow": False, "xanchor": "left", "xshift": 4, "font": {"size": 14, "color": NEUTRAL}, "text": "–"}
    place = {"x": panel.null if panel.null == panel.null else 0.0, "xref": f"x{at}", "yref": f"y{at}"}
    rows = []
    for row, found in enumerate(zip(*panel.series.values(), strict=True)):
        asked = [one for one in found if one is not None]
        if asked and all(one.value != one.value for one in asked):
            rows.append(row)
    return [look | place | {"y": row} for row in rows]
