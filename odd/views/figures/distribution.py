"""Histograms of the scores, one panel per teacher, with the distribution under shuffled success as a line."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from odd.views.components.palette import HARMFUL, HELPFUL, NEUTRAL
from odd.views.figures.panels import frame, label

ACROSS = 4
"""Maximum number of panels side by side."""
HEIGHT, GAP = 190, 70
"""Pixels of a row of panels, and between two."""

Bars = tuple[Sequence[float], Sequence[float]]
"""Share in each bin, and the same under shuffled success."""


def histograms(edges: Sequence[float], runs: Mapping[str, Mapping[str, Bars]]) -> go.Figure:
    """Histograms of every teacher in every run.

    Args:
        edges: bin edges, from -1 to 1.
        runs: bars by run name and teacher.
    """
    panels = [
        (run if len(runs) > 1 else "", teacher, bars) for run, found in runs.items() for teacher, bars in found.items()
    ]
    across = min(ACROSS, max(1, len(panels)))
    down = max(1, -(-len(panels) // across))
    plots = down * HEIGHT + (down - 1) * GAP
    titles = [" · ".join(label(part) for part in (teacher, run) if part) for run, teacher, _ in panels]
    figure = make_subplots(
        rows=down, cols=across, shared_yaxes=True, subplot_titles=titles or None, horizontal_spacing=0.02,
        vertical_spacing=GAP / plots if down > 1 else 0.0,
    )  # fmt: skip
    middles = (np.asarray(edges)[:-1] + np.asarray(edges)[1:]) / 2
    colours = [HARMFUL if middle < 0 else HELPFUL for middle in middles]
    for at, (_, _, (shares, shuffled)) in enumerate(panels):
        row, col = at // across + 1, at % across + 1
        figure.add_trace(_bars(edges, middles, shares, colours), row=row, col=col)
        figure.add_trace(_line(edges, shuffled), row=row, col=col)
    key = {"x": [None], "y": [None], "mode": "lines", "line": {"color": NEUTRAL, "width": 2}}
    figure.add_trace(go.Scatter(name="with success shuffled among siblings", **key))
    figure.update_xaxes(range=[-1.02, 1.02], nticks=5, zeroline=False)
    figure.update_xaxes(title="alignment <i>(cosine)</i>", row=down)
    figure.update_yaxes(tickformat=".0%", zeroline=False)
    figure.update_yaxes(title="share of decision points", col=1)
    figure.update_layout(bargap=0.06)
    figure.update_annotations(font_size=13)
    figure.update_layout(frame(60 + plots + 60, top=60, foot=60))
    return figure.update_layout(legend={"y": 1 + 26 / plots})


def _bars(edges: Sequence[float], middles: np.ndarray, shares: Sequence[float], colours: list[str]) -> go.Bar:
    hover = [
        f"{low:.1f} to {high:.1f}: {share:.1%}".replace("-", "−")
        for low, high, share in zip(edges[:-1], edges[1:], shares, strict=True)
    ]
    return go.Bar(
        x=middles, y=shares, marker={"color": colours, "opacity": 0.8}, showlegend=False, hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _line(edges: Sequence[float], shares: Sequence[float]) -> go.Scatter:
    """Step line along the bins."""
    x = np.repeat(edges, 2)[1:-1]
    line = {"color": NEUTRAL, "width": 2}
    return go.Scatter(x=x, y=np.repeat(shares, 2), mode="lines", line=line, showlegend=False, hoverinfo="skip")
