"""Ideal and teacher gradient at one node, next to the success estimates behind the ideal one."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from odd.text import plotly_escaped
from odd.views.components.palette import IDEAL, SUCCESS, TEACHER

SERIES = (("ideal", "ideal gradient", IDEAL), ("teacher_gradient", "teacher gradient", TEACHER))


SHARE = 0.6
"""Share of the width for the gradients."""


def token_label(text: str, taken: bool) -> str:
    """A token as an axis label: spaces are dots, because plotly trims them; the taken token is marked."""
    short = text if len(text) <= 24 else text[:23] + "…"
    label = plotly_escaped(short.replace(" ", "·"))
    return f"▸ <b>{label}</b>" if taken else label


def unit(values: np.ndarray) -> np.ndarray:
    """Scale a vector to length 1; NaN components stay NaN, and the zero vector stays zero."""
    length = float(np.sqrt(np.nansum(values**2)))
    return values / length if length > 0 else values


def gradient_figure(children: pd.DataFrame) -> go.Figure:
    """Paired bars of both gradients, each scaled to length 1, and P̂ of each child with its 95% interval.

    If neither gradient is known, only P̂ is shown.

    Args:
        children: rows with `text`, `taken`, `success` with `_low`, `_high` and `_visits`, `ideal`, `teacher_gradient`.
    """
    estimated = [series for series in SERIES if children[series[0]].notna().any()]
    places, last = np.arange(len(children)), "2" if estimated else ""
    traces = [
        {"type": "bar", "x": unit(values), "y": places, "orientation": "h", "name": title, "customdata": values}
        | {"marker": {"color": colour}, "hovertemplate": "%{x:+.3f} scaled to length 1, %{customdata:+.3g} unscaled"}
        for values, title, colour in ((children[name].to_numpy(float), *look) for name, *look in estimated)
    ]
    traces.append({"y": places, "xaxis": f"x{last}", "yaxis": "y"} | _success(children))
    labels = [token_label(text, taken) for text, taken in zip(children["text"], children["taken"], strict=True)]
    rows = {"tickvals": places, "ticktext": labels, "range": [len(children) - 0.5, -0.5], "title": "next token"}
    # built in one go, because every later change to a plotly figure is slow
    layout = {
        "yaxis": rows,
        "height": 130 + 46 * max(2, len(children)),
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "bargap": 0.3,
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    }
    if estimated:
        title = "pushes down ← 0 → up<br>(each scaled to length 1)"
        line = {"zeroline": True, "zerolinewidth": 2}
        layout["xaxis"] = {"title": title, "range": [-1.05, 1.05], "domain": [0, SHARE]} | line
    title = "P̂ success<br>(95%, n visits)"
    layout[f"xaxis{last}"] = {"title": title, "range": [-0.04, 1.04], "domain": [SHARE + 0.03 if estimated else 0, 1]}
    return go.Figure(traces, layout)


def _success(children: pd.DataFrame) -> dict:
    """P̂ as a dot with its interval and its visits as text."""
    success, low, high = (children[f"success{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    visits = [f"n={int(count):,}" if count == count else "" for count in children["success_visits"].to_numpy(float)]
    return {
        "type": "scatter",
        "x": success,
        "error_x": {"array": high - success, "arrayminus": success - low, "thickness": 1.5, "width": 4},
        "mode": "markers+text",
        "text": visits,
        "textposition": np.where(success < 0.5, "top right", "top left"),
        "name": "P̂ success",
        "marker": {"color": SUCCESS, "size": 9},
        "customdata": np.column_stack([low, high]),
        "hovertemplate": "%{x:.3f} [%{customdata[0]:.3f}, %{customdata[1]:.3f}], %{text}",
        "showlegend": False,
    }
