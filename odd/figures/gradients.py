"""Ideal against teacher gradient at one node, beside the success that the ideal one comes from."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from odd.components.palette import IDEAL, SUCCESS, TEACHER
from odd.display.spelling import plotly_escaped

SERIES = (("ideal", "ideal gradient", IDEAL), ("teacher_gradient", "teacher gradient", TEACHER))


def token_label(text: str, taken: bool) -> str:
    """A token as an axis label: blanks as dots, which plotly would trim; the taken token is marked."""
    short = text if len(text) <= 24 else text[:23] + "…"
    label = plotly_escaped(short.replace(" ", "·"))
    return f"▸ <b>{label}</b>" if taken else label


def unit(values: np.ndarray) -> np.ndarray:
    """A vector scaled to length 1, unknown components left unknown; the zero vector stays."""
    length = float(np.sqrt(np.nansum(values**2)))
    return values / length if length > 0 else values


def gradient_figure(children: pd.DataFrame) -> go.Figure:
    """Paired bars of both gradients, each scaled to length 1, and P̂ of each child with its 95 % interval.

    Where neither gradient is known, P̂ is shown alone.

    Args:
        children: rows with `text`, `taken`, `success` with `_low`, `_high` and `_visits`, `ideal`, `teacher_gradient`.
    """
    estimated = [series for series in SERIES if children[series[0]].notna().any()]
    places, last = np.arange(len(children)), 2 if estimated else 1
    widths = [0.62, 0.38] if estimated else [1.0]
    figure = make_subplots(cols=last, shared_yaxes=True, column_widths=widths, horizontal_spacing=0.03)
    for name, title, colour in estimated:
        values = children[name].to_numpy(float)
        figure.add_bar(
            x=unit(values), y=places, orientation="h", name=title, marker_color=colour, row=1, col=1,
            customdata=values, hovertemplate="%{x:+.3f} of length 1, %{customdata:+.3g} itself",
        )  # fmt: skip
    figure.add_scatter(**_success(children), y=places, row=1, col=last)
    labels = [token_label(text, taken) for text, taken in zip(children["text"], children["taken"], strict=True)]
    figure.update_yaxes(tickvals=places, ticktext=labels, range=[len(children) - 0.5, -0.5])
    figure.update_yaxes(title_text="next token", col=1)
    figure.update_xaxes(
        title_text="pushes down ← 0 → pushes up<br>(logit gradient, each of length 1)", range=[-1.05, 1.05],
        zeroline=True, zerolinewidth=2, col=1,
    )  # fmt: skip
    figure.update_xaxes(title_text="P̂ success<br>(95 % interval, n visits)", range=[-0.04, 1.04], col=last)
    figure.update_layout(
        height=130 + 46 * max(2, len(children)), margin={"l": 8, "r": 8, "t": 8, "b": 8}, bargap=0.3,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    return figure


def _success(children: pd.DataFrame) -> dict:
    """P̂ as a dot with its interval; visits are written beside it."""
    success, low, high = (children[f"success{end}"].to_numpy(float) for end in ("", "_low", "_high"))
    visits = [f"n={int(count):,}" if count == count else "" for count in children["success_visits"].to_numpy(float)]
    return {
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
