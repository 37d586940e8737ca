"""Where things stand on wide and on narrow windows."""

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
    """Columns, which stand below each other where they would become too narrow to read."""
    return st.container(key=f"beside-{key}").columns(weights)


def figure(drawn: go.Figure, name: str, key: str, *, wide: bool = False, **arguments: Any) -> None:
    """Draw a plotly figure, with buttons that save it.

    Args:
        drawn: the figure.
        name: under which it is saved, as SVG or PNG.
        key: of its place on the page.
        wide: whether a narrow page scrolls it sideways, rather than pressing it together.
        **arguments: of `st.plotly_chart`.
    """
    config = {"modeBarButtonsToRemove": ["toImage"], "displaylogo": False}  # it knows one format only
    place = f"{'wide' if wide else 'fitting'}-{key}"
    with st.container(key=place):
        st.plotly_chart(drawn, config=config, key=key, **arguments)
    mount("figure_picture", f"picture-{key}", {"place": place, "name": name})
