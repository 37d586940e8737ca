"""The legend of the token colours, in a bar that stays in view."""

from collections.abc import Iterable

import streamlit as st

from odd.text import markdown_escaped
from odd.views.components.palette import PAGES
from odd.views.legend import legend_html
from odd.views.scores import Legend

STYLE = f"""<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-legend) {{ position: sticky; top: 0; bottom: 0; z-index: 90; }}
.st-key-legend {{ padding: 4px 0 6px; border-bottom: 1px solid rgba(138,148,166,0.35);
  background: light-dark({PAGES[0]}, {PAGES[1]}); }}
</style>"""


def show_legend(chosen: Iterable[str], legend: Legend, scale: float) -> None:
    """Draw the legend bar.

    Args:
        chosen: descriptions of the coloured quantity; empty ones are skipped.
        legend: the legend of the chosen colour.
        scale: value at the upper end of the colour scale.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="legend"):
        st.caption(" · ".join(markdown_escaped(part) for part in chosen if part), width="content")
        st.html(STYLE + legend_html(legend, scale))
