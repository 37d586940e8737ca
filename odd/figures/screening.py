"""Figures of the page Screening: how hard the questions are, and how often the student is right behind each context."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from odd.components.palette import FAILURE, HALF, NEUTRAL, SUCCESS, TEACHER
from odd.figures.findings import label
from odd.statistics import Estimate

COLOURS = {"easy": SUCCESS, "medium": HALF, "hard": FAILURE, "never": NEUTRAL}
RANGES = {"easy": "p ≥ 0.8", "medium": "0.25 ≤ p < 0.8", "hard": "0 < p < 0.25", "never": "p = 0"}
STEP = 0.05
"""Width of a bar; the bins of difficulty begin at multiples of it."""
ROW, HEAD, FOOT = 34, 58, 56
"""Pixels of a context, of what stands above, and of the axis."""


def pass_rates(rates: np.ndarray, difficulties: Sequence[str], kept: np.ndarray) -> go.Figure:
    """Questions by pass rate, a colour each difficulty; those left out are hatched. A pass rate of 0 has its own bar.

    Args:
        rates: pass rate of each question, shape (Q,).
        difficulties: bin of each.
        kept: which are kept, bool (Q,).
    """
    figure = go.Figure()
    # a sliver is added as 0.8 / 0.05 falls short of 16
    bins = np.where(rates == 0, -1, np.minimum(np.floor(rates / STEP + 1e-9), round(1 / STEP) - 1)).astype(int)
    places = np.arange(-1, round(1 / STEP))
    edges = [("0" if at < 0 else f"{at * STEP:.2f} to {(at + 1) * STEP:.2f}") for at in places]
    for name, colour in COLOURS.items():
        for keep in (True, False):
            chosen = (np.array(difficulties) == name) & (kept == keep)
            if not chosen.any():
                continue
            counted = [int(((bins == at) & chosen).sum()) for at in places]
            figure.add_bar(
                x=(places + 0.5) * STEP,
                y=[count or None for count in counted],
                width=STEP * 0.92,
                name=f"{name}, {RANGES[name]}{'' if keep or name == 'never' else ', left out'}",
                marker={
                    "color": colour,
                    "pattern": {"shape": "" if keep else "/", "fgcolor": "white", "solidity": 0.3},
                },
                customdata=edges,
                hovertemplate="%{y} questions<br>pass rate %{customdata}<extra></extra>",
            )
    figure.update_xaxes(title="pass rate of the student alone", range=[-STEP * 1.2, 1.02], dtick=0.25, zeroline=False)
    figure.update_yaxes(title="questions", rangemode="tozero", dtick=_step(rates, bins))
    above = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"}
    return figure.update_layout(
        barmode="stack", height=300, margin={"l": 0, "r": 8, "t": 48, "b": 40}, legend=above, bargap=0
    )


def _step(rates: np.ndarray, bins: np.ndarray) -> int:
    """Distance of the marks of an axis of counts: whole numbers, and not too many."""
    most = max((int((bins == at).sum()) for at in set(bins.tolist())), default=1) if len(rates) else 1
    return max(1, -(-most // 6))


@dataclass(frozen=True)
class AccuracyPanel:
    """Accuracy behind each context on one bin of difficulty.

    Attributes:
        title: its name, with the number of questions.
        estimates: by context.
        published: the paper's, 0 to 1, by context, where it has one.
    """

    title: str
    estimates: Mapping[str, Estimate]
    published: Mapping[str, float]


def accuracy(panels: Sequence[AccuracyPanel], reference: str) -> go.Figure:
    """A dot with its interval for each context and difficulty, a line at the baseline, and the paper's value.

    Args:
        panels: of the same contexts in the same order, the baseline first.
        reference: what the published values are of, for the legend.
    """
    contexts = list(panels[0].estimates)
    figure = make_subplots(
        rows=1, cols=len(panels), shared_yaxes=True, horizontal_spacing=0.02, subplot_titles=[p.title for p in panels]
    )
    for column, panel in enumerate(panels, 1):
        first = column == 1
        shown = [(at, one) for at, one in enumerate(panel.estimates.values()) if one.value == one.value]
        figure.add_trace(_dots(contexts, shown, first), row=1, col=column)
        if panel.published:
            figure.add_trace(_published(contexts, panel.published, reference, first), row=1, col=column)
        baseline = next(iter(panel.estimates.values())).value
        if baseline == baseline:
            line = {"color": NEUTRAL, "width": 1.5, "dash": "dash"}
            figure.add_vline(x=100 * baseline, line=line, row=1, col=column)  # type: ignore[arg-type]
        figure.update_xaxes(title="accuracy, %", range=[-3, 103], nticks=5, zeroline=False, row=1, col=column)
        names = {"tickvals": list(range(len(contexts))), "ticktext": [label(name) for name in contexts]}
        figure.update_yaxes(
            range=[len(contexts) - 0.5, -0.5], zeroline=False, showgrid=False, row=1, col=column, **names
        )
    above = {"orientation": "h", "y": 1, "yanchor": "bottom", "yref": "container", "x": 0, "xanchor": "left"}
    return figure.update_layout(
        height=HEAD + ROW * len(contexts) + FOOT,
        margin={"l": 0, "r": 8, "t": HEAD, "b": FOOT},
        legend={**above, "y": 0.99, "yanchor": "top"},
        hovermode="closest",
    )


def _dots(contexts: Sequence[str], shown: Sequence[tuple[int, Estimate]], first: bool) -> go.Scatter:
    ends = [(one.value - one.low, one.high - one.value) if one.low == one.low else (0, 0) for _, one in shown]
    below, above = ([100 * end for end in side] for side in zip(*ends, strict=True)) if ends else ([], [])
    hover = [
        f"<b>{label(contexts[at])}</b><br>{100 * one.value:.1f} %"
        + (f" [{100 * one.low:.1f}, {100 * one.high:.1f}]" if one.low == one.low else "")
        + f"<br>n = {one.n} questions"
        for at, one in shown
    ]
    return go.Scatter(
        x=[100 * one.value for _, one in shown], y=[at for at, _ in shown], mode="markers", name="here, 95 % interval",
        marker={"color": SUCCESS, "size": 9}, showlegend=first, legendgroup="here",
        error_x={"type": "data", "arrayminus": below, "array": above, "symmetric": False, "thickness": 2, "width": 0,
                 "color": SUCCESS},
        hovertext=hover, hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip


def _published(contexts: Sequence[str], values: Mapping[str, float], reference: str, first: bool) -> go.Scatter:
    places = [(at, values[name]) for at, name in enumerate(contexts) if name in values]
    return go.Scatter(
        x=[100 * value for _, value in places], y=[at for at, _ in places], mode="markers",
        name=f"paper, {reference}", marker={"color": TEACHER, "symbol": "diamond-open", "size": 10},
        showlegend=first, legendgroup="paper",
        hovertemplate=f"paper, {reference}<br>%{{x:.1f}} %<extra></extra>",
    )  # fmt: skip
