"""The legend of the colour of tokens, in a bar that stays in view."""

from collections.abc import Iterable

import streamlit as st

from odd.text import markdown_escaped
from odd.views.components.palette import PAGES
from odd.views.legend import legend_html
from odd.views.scores import Legend

STYLE = f"""<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-legend) {{ position: sticky; top: 0; z-index: 90; }}
.st-key-legend {{ padding: 4px 0 6px; border-bottom: 1px solid rgba(138,148,166,0.35);
  background: light-dark({PAGES[0]}, {PAGES[1]}); }}
</style>"""


def show_legend(chosen: Iterable[str], legend: Legend, scale: float) -> None:
    """Draw the bar.

    Args:
        chosen: what the colours are of, in words; empty ones are left out.
        legend: of the colour.
        scale: value at its upper end.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="legend"):
        st.caption(" · ".join(markdown_escaped(part) for part in chosen if part), width="content")
        st.html(STYLE + legend_html(legend, scale))
