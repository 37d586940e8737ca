"""The alignment along one path, token by token, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from odd.findings.written import signed
from odd.text import plotly_escaped
from odd.views.components.palette import HARMFUL, HELPFUL, NEUTRAL
from odd.views.figures.panels import frame

HEIGHT = 330


@dataclass(frozen=True)
class Step:
    """A decision point on the path.

    Attributes:
        position: position of the token.
        text: text of the token, untrusted.
        alignment: cosine; NaN if undefined.
        low: lower end of its interval.
        high: upper end of its interval.
        success_range: success range of the children.
    """

    position: int
    text: str
    alignment: float
    low: float
    high: float
    success_range: float


def path_scores(steps: Sequence[Step], length: int) -> go.Figure:
    """One dot per decision point, sized by success range and joined in order.

    Args:
        steps: decision points in order along the path; undefined ones are left out.
        length: number of tokens of the path.
    """
    known = [step for step in steps if step.alignment == step.alignment]
    figure = go.Figure()
    line = {"color": NEUTRAL, "width": 1, "dash": "dot"}
    places = {"x": [step.position for step in known], "y": [step.alignment for step in known]}
    figure.add_trace(go.Scatter(**places, mode="lines", line=line, showlegend=False, hoverinfo="skip"))
    for side, colour, symbol in (("above", HELPFUL, "circle"), ("below", HARMFUL, "diamond"),
                                 ("open", NEUTRAL, "circle-open")):  # fmt: skip
        figure.add_trace(_dots([step for step in known if _side(step) == side], side, colour, symbol))
    figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(range=[-0.5, max(length, 1) - 0.5], title="position <i>(tokens)</i>", zeroline=False)
    figure.update_yaxes(range=[-1.08, 1.08], title="alignment <i>(cosine)</i>", zeroline=False)
    return figure.update_layout(frame(HEIGHT, foot=50))


def _side(step: Step) -> str:
    return "above" if step.low > 0 else "below" if step.high < 0 else "open"


def _dots(steps: Sequence[Step], side: str, colour: str, symbol: str) -> go.Scatter:
    ends = [(s.alignment - s.low, s.high - s.alignment) if s.low == s.low else (0, 0) for s in steps]
    hover = [
        f"<b>{plotly_escaped(s.text[:40])}</b> at {s.position}<br>alignment {signed(s.alignment)} "
        f"[{signed(s.low)}, {signed(s.high)}]<br>success range {s.success_range:.2f}"
        for s in steps
    ]
    names = {"above": "helpful", "below": "harmful", "open": "sign not settled"}
    return go.Scatter(
        x=[s.position for s in steps], y=[s.alignment for s in steps], mode="markers", name=names[side],
        marker={"color": colour, "symbol": symbol, "size": [7 + 10 * s.success_range for s in steps],
                "line": {"width": 1.5, "color": colour}},
        error_y={"type": "data", "arrayminus": [below for below, _ in ends], "array": [above for _, above in ends],
                 "symmetric": False, "thickness": 1, "width": 0, "color": colour},
        hovertext=hover, hovertemplate="%{hovertext}<extra></extra>",
    )  # fmt: skip
