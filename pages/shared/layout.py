"""Layout helpers for wide and narrow windows."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.shared.mount import mount

STYLE = """<style>
.stMainBlockContainer { max-width: none; padding: 0.6rem 1rem 2rem; }
.stMainBlockContainer > [data-testid="stVerticalBlock"] { gap: 0.5rem; }
.st-key-page-header h1 { font-size: 1.25rem; padding: 0; white-space: nowrap; }
.st-key-page-header [data-testid="stMarkdownContainer"] { margin: 0; }
.st-key-previous-question p, .st-key-next-question p { position: absolute; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 1100px) {
  .st-key-page-header { gap: 0.4rem; }
  .st-key-help p { position: absolute; clip-path: inset(50%); white-space: nowrap; }
  .st-key-page-header [data-testid="stSelectbox"] { max-width: 9.5rem; }
}
.stMain h2 { font-size: 1.3rem; padding: 0.25rem 0; }
.st-key-path-panel { padding: 0.5rem 0.75rem; }
[class*="st-key-beside-"] [data-testid="stColumn"] { min-width: min(100%, 24rem); }
.st-key-view-teachers { min-width: min(100%, 26rem); }
[class*="st-key-wide-"] { overflow-x: auto; }
[class*="st-key-wide-"] > * { min-width: 39rem; }
.stApp :is(button, a, input, summary, [role="combobox"], [role="switch"]):focus-visible {
  outline: 2px solid light-dark(#1f5fbf, #6ea3f0) !important; outline-offset: 2px; }
/* the chosen part of a row of buttons is written in the primary colour, which is for white text on it */
button[data-selected="true"] * { color: light-dark(#1a55ad, #9cc2ff) !important; }
/* while the sidebar is folded, Streamlit's bar covers the top of the page; it only holds the button that opens it */
.stAppHeader { background: transparent !important; }
.stAppHeader, .stAppHeader * { pointer-events: none !important; }
.stAppHeader button, .stAppHeader button * { pointer-events: auto !important; }
.stAppHeader button { background: light-dark(#ffffff, #0e1117); }
.stApp:has([data-testid="stExpandSidebarButton"]) .st-key-page-header { padding-left: 2.6rem; }
@media print {
  .stSidebar, .stAppHeader, button, [data-testid="stDownloadButton"] { display: none !important; }
  .stApp, .stApp * { overflow: visible !important; max-height: none !important; }
  .stApp, .stAppViewContainer, .stMain { position: static !important; height: auto !important; }
  [data-testid="stLayoutWrapper"] { position: static !important; width: auto !important; }
  .stElementContainer, tr, figure { break-inside: avoid; }
}
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
