"""Layout helpers for wide and narrow windows."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.mount import mount

STYLE = """<style>
.stMainBlockContainer { max-width: none; padding: 1.2rem 1rem 10rem; }
[class*="st-key-beside-"] [data-testid="stColumn"] { min-width: min(100%, 24rem); }
.st-key-view-teachers { min-width: min(100%, 26rem); }
[class*="st-key-wide-"] { overflow-x: auto; }
[class*="st-key-wide-"] > * { min-width: 39rem; }
</style>"""


def beside(weights: Sequence[float], key: str) -> list[DeltaGenerator]:
    """Return columns that stack when they would become too narrow to read."""
    return st.container(key=f"beside-{key}").columns(weights)


def figure(drawn: go.Figure, name: str, key: str, *, wide: bool = False, **arguments: Any) -> None:
    """Draw a plotly figure, with buttons that save it as SVG or PNG.

    Args:
        drawn: the figure.
        name: file name without suffix.
        key: widget key.
        wide: whether a narrow page scrolls the figure sideways instead of squeezing it.
        **arguments: passed to `st.plotly_chart`.
    """
    config = {"modeBarButtonsToRemove": ["toImage"], "displaylogo": False}  # plotly's button offers one format only
    place = f"{'wide' if wide else 'fitting'}-{key}"
    with st.container(key=place):
        st.plotly_chart(drawn, config=config, key=key, **arguments)
    mount("figure_picture", f"picture-{key}", {"place": place, "name": name})
