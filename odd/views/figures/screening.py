"""Figures of the page Screening: pass rates of the questions, and accuracy of the student with each context."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import plotly.graph_objects as go

from odd.findings.statistics import Estimate
from odd.views.components.palette import FAILURE, HALF, NEUTRAL, SUCCESS, TEACHER
from odd.views.figures.findings import label

COLOURS = {"easy": SUCCESS, "medium": HALF, "hard": FAILURE, "never": NEUTRAL}
RANGES = {"easy": "p ≥ 0.8", "medium": "0.25 ≤ p < 0.8", "hard": "0 < p < 0.25", "never": "p = 0"}
STEP = 0.05
"""Width of a bar; the difficulty bins start at multiples of it."""
ROW, HEAD, FOOT = 34, 58, 56
"""Pixels per context, of the space above, and of the axis."""


def pass_rates(rates: np.ndarray, difficulties: Sequence[str], kept: np.ndarray) -> go.Figure:
    """Number of questions by pass rate, coloured by difficulty, hatched if left out. A pass rate of 0 has its own bar.

    Args:
        rates: pass rate of each question, shape (Q,).
        difficulties: bin of each.
        kept: which are kept, bool (Q,).
    """
    # the epsilon is needed because 0.8 / 0.05 is just below 16
    bins = np.where(rates == 0, -1, np.minimum(np.floor(rates / STEP + 1e-9), round(1 / STEP) - 1)).astype(int)
    places = np.arange(-1, round(1 / STEP))
    edges = [("0" if at < 0 else f"{at * STEP:.2f} to {(at + 1) * STEP:.2f}") for at in places]
    bar = {"type": "bar", "x": ((places + 0.5) * STEP).tolist(), "width": STEP * 0.92, "customdata": edges}
    bar |= {"hovertemplate": "%{y} questions<br>pass rate %{customdata}<extra></extra>"}
    bars = []
    for name, keep in product(COLOURS, (True, False)):
        chosen = (np.array(difficulties) == name) & (kept == keep)
        if not chosen.any():
            continue
        counted = [int(((bins == at) & chosen).sum()) or None for at in places]
        pattern = {"shape": "" if keep else "/", "solidity": 0.4}  # stripes of the bar's own colour
        title = f"{name}, {RANGES[name]}{'' if keep or name == 'never' else ', left out'}"
        bars.append(bar | {"y": counted, "name": title, "marker": {"color": COLOURS[name], "pattern": pattern}})
    across = {"title": {"text": "pass rate of the student alone"}, "range": [-STEP * 1.2, 1.02], "dtick": 0.25}
    down = {"title": {"text": "questions"}, "rangemode": "tozero", "dtick": _step(bins)}
    layout: dict[str, Any] = {"xaxis": across | {"zeroline": False}, "yaxis": down, "barmode": "stack", "bargap": 0}
    layout |= {"height": 300, "margin": {"l": 0, "r": 8, "t": 48, "b": 40}}
    above = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    return go.Figure(bars, layout | {"legend": above})


def _step(bins: np.ndarray) -> int:
    """Tick step of an axis of counts: a whole number, for few ticks."""
    most = max(np.unique(bins, return_counts=True)[1], default=1)
    return max(1, -(-int(most) // 6))


@dataclass(frozen=True)
class AccuracyPanel:
    """Accuracy with each context on one bin of difficulty.

    Attributes:
        title: name, with the number of questions.
        estimates: accuracy by context.
        published: the paper's accuracy, 0 to 1, by context, for those it has.
    """

    title: str
    estimates: Mapping[str, Estimate]
    published: Mapping[str, float]


def accuracy(panels: Sequence[AccuracyPanel], reference: str) -> go.Figure:
    """A dot with its interval for each context and difficulty, a line at the baseline, and the paper's value.

    Args:
        panels: panels with the same contexts in the same order, the baseline first.
        reference: name of the paper's student and benchmark, for the legend.
    """
    contexts = list(panels[0].estimates)
    traces, shapes, titles = [], [], []
    layout: dict[str, Any] = {
        "grid": {"rows": 1, "columns": len(panels), "pattern": "independent", "xgap": 0.08},
        "height": HEAD + ROW * len(contexts) + FOOT,
        "margin": {"l": 0, "r": 8, "t": HEAD, "b": FOOT},
        "legend": {"orientation": "h", "yref": "container", "y": 1, "yanchor": "top", "x": 0, "xanchor": "left"},
        "hovermode": "closest",
    }
    for number, panel in enumerate(panels):
        axis = str(number + 1) if number else ""
        place = {"xaxis": f"x{axis}", "yaxis": f"y{axis}", "showlegend": not number}
        traces.append(_dots(contexts, panel) | place)
        if panel.published:
            traces.append(_published(contexts, panel.published, reference) | place)
        layout |= _axes(contexts, axis)
        domain = {"xref": f"x{axis} domain", "yref": f"y{axis} domain", "xanchor": "center", "yanchor": "bottom"}
        titles.append(domain | {"x": 0.5, "y": 1, "text": panel.title, "showarrow": False})
        baseline = 100 * next(iter(panel.estimates.values())).value
        if baseline == baseline:
            line = {"type": "line", "y0": 0, "y1": 1, "line": {"color": NEUTRAL, "width": 1.5, "dash": "dash"}}
            shapes.append(line | {"xref": f"x{axis}", "yref": f"y{axis} domain", "x0": baseline, "x1": baseline})
    return go.Figure(traces, layout | {"shapes": shapes, "annotations": titles})


def _axes(contexts: Sequence[str], axis: str) -> dict[str, dict]:
    """Axes of a panel."""
    across = {"title": {"text": "accuracy, %"}, "range": [-3, 103], "nticks": 5, "zeroline": False}
    # rows are numbered, because plotly would parse names that look like numbers or dates
    down = {"tickvals": list(range(len(contexts))), "ticktext": [label(name) for name in contexts]}
    down |= {"range": [len(contexts) - 0.5, -0.5], "zeroline": False, "showgrid": False, "showticklabels": not axis}
    down |= {} if axis else {"title": {"text": "context"}}
    return {f"xaxis{axis}": across, f"yaxis{axis}": down}


def _dots(contexts: Sequence[str], panel: AccuracyPanel) -> dict[str, Any]:
    """The contexts' accuracies with their intervals; undefined ones are left out."""
    shown = [(at, one) for at, one in enumerate(panel.estimates.values()) if one.value == one.value]
    ends = [(one.value - one.low, one.high - one.value) if one.low == one.low else (0, 0) for _, one in shown]
    bars = {"arrayminus": [100 * below for below, _ in ends], "array": [100 * above for _, above in ends]}
    bars |= {"type": "data", "symmetric": False, "thickness": 2, "width": 0, "color": SUCCESS}
    hover = [
        f"<b>{label(contexts[at])}</b><br>{100 * one.value:.1f}%"
        + (f" [{100 * one.low:.1f}, {100 * one.high:.1f}]" if one.low == one.low else "")
        + f"<br>n = {one.n} questions"
        for at, one in shown
    ]
    return {
        "x": [100 * one.value for _, one in shown],
        "y": [at for at, _ in shown],
        "mode": "markers",
        "name": "this run, 95% interval",
        "legendgroup": "here",
        "marker": {"color": SUCCESS, "size": 9},
        "error_x": bars,
        "hovertext": hover,
        "hovertemplate": "%{hovertext}<extra></extra>",
    }


def _published(contexts: Sequence[str], values: Mapping[str, float], reference: str) -> dict[str, Any]:
    places = [(at, values[name]) for at, name in enumerate(contexts) if name in values]
    return {
        "x": [100 * value for _, value in places],
        "y": [at for at, _ in places],
        "mode": "markers",
        "name": f"paper, {reference}",
        "legendgroup": "paper",
        "marker": {"color": TEACHER, "symbol": "diamond-open", "size": 10},
        "hovertemplate": f"paper, {reference}<br>%{{x:.1f}}%<extra></extra>",
    }
