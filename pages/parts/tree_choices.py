"""The choices of the tree page, and a bar with what is chosen and the legend that stays in view."""

import streamlit as st

from odd.display.scores import colour_scale
from odd.display.spelling import markdown_escaped
from odd.links import ViewState
from pages.shared.choices import (
    choose_colour,
    choose_convention,
    choose_filters,
    choose_objective,
    choose_path,
    choose_question,
    choose_teacher,
    convention_name,
    objective_name,
)
from pages.shared.data import OpenRun
from pages.shared.legend import show_legend

STICKY = """<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-tree-legend) { position: sticky; top: 0; z-index: 90; }
.st-key-tree-legend { padding: 4px 0 6px; border-bottom: 1px solid rgba(138,148,166,0.35); 
  background: color-mix(in srgb, Canvas 80%, transparent); backdrop-filter: blur(18px); }
</style>"""


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the choices of question `number`."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="tree-choices"):
        choose_question(run, view, width=300)
        if view.path is not None:
            choose_path(run, view, width=190)
        if view.teacher is not None:
            choose_teacher(run, view, width=160)
        if view.objective is not None:
            choose_objective(run, view, width=150)
            choose_convention(run, view, width=230)
        choose_colour(view, width=190)
        choose_filters(view)
    st.html(STICKY)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tree-legend"):
        chosen = [
            view.teacher or "no teacher",
            objective_name(view.objective or ""),
            convention_name(view.convention or ""),
        ]
        st.caption(" · ".join(markdown_escaped(part) for part in chosen if part), width="content")
        show_legend(view.colour, colour_scale(run, number, view))
