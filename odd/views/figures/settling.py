"""The expected share of settled signs with more rollouts."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from odd.views.components.palette import FAILURE, HARMFUL, HELPFUL, IDEAL, NEUTRAL, SUCCESS, TEACHER
from odd.views.figures.panels import frame, label

COLOURS = (NEUTRAL, IDEAL, TEACHER, HELPFUL, HARMFUL, SUCCESS, FAILURE)
DASHES = ("solid", "dash", "dot", "dashdot")
HEIGHT = 320


def settling_curves(
    factors: Sequence[float], runs: Mapping[str, Mapping[str, Sequence[float]]], goal: float
) -> go.Figure:
    """A line per teacher, side by side for several runs.

    Args:
        factors: factors of rollouts, ascending.
        runs: expected shares of settled signs, by run name and teacher.
        goal: share to mark with a line.
    """
    titles = [label(name, 60) for name in runs] if len(runs) > 1 else None
    figure = make_subplots(rows=1, cols=max(1, len(runs)), shared_yaxes=True, subplot_titles=titles,
                           horizontal_spacing=0.03)  # fmt: skip
    names = list(dict.fromkeys(name for curves in runs.values() for name in curves))
    for column, curves in enumerate(runs.values(), 1):
        for name, shares in curves.items():
            at = names.index(name)
            line = {"color": COLOURS[at % len(COLOURS)], "dash": DASHES[at // len(COLOURS) % len(DASHES)], "width": 2}
            figure.add_trace(
                go.Scatter(
                    x=list(factors), y=list(shares), mode="lines+markers", line=line, marker={"size": 6},
                    name=label(name), legendgroup=str(at), showlegend=column == 1,
                    hovertemplate=f"{label(name)}: %{{y:.0%}} at × %{{x:.0f}}<extra></extra>",
                ),
                row=1, col=column,
            )  # fmt: skip
    figure.add_hline(y=goal, line={"color": NEUTRAL, "width": 1, "dash": "dash"})
    ticks = [factor for factor in factors if factor in (1, 4, 16, 64, 256, 1024)]
    text = [f"× {factor:,.0f}" for factor in ticks]
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=text, title="rollouts <i>(multiple of current)</i>")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    figure.update_yaxes(title="settled signs", col=1)
    return figure.update_layout(frame(HEIGHT, top=50, foot=50))
