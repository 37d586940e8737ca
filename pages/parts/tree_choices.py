"""The controls of the Tree page in one row, and its legend."""

import streamlit as st

from odd.views.links import LONGEST, ViewState
from odd.views.names import convention_name, objective_name
from odd.views.scores import colour_scale, legend
from pages.shared.choices import (
    choose_colour,
    choose_convention,
    choose_filters,
    choose_objective,
    choose_path,
    choose_teacher,
)
from pages.shared.data import OpenRun
from pages.shared.legend import show_legend
from pages.shared.share import offer_file
from pages.shared.state import bound

STYLE = """<style>
.st-key-tree-choices [data-testid="stSelectbox"] { display: flex; align-items: center; gap: 0.4rem; }
.st-key-tree-choices [data-testid="stSelectbox"] label { min-height: 0; margin: 0; white-space: nowrap; }
.st-key-tree-choices [data-testid="stSelectbox"] > div { flex: 1; min-width: 0; }
</style>"""
"""Labels beside their boxes, so that the row is one line high."""


def show(run: OpenRun, view: ViewState) -> None:
    """Draw the controls: what is read, and behind a button what is changed less often."""
    st.html(STYLE)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tree-choices"):
        if view.path is not None:
            choose_path(run, view, width=225)
        if view.teacher is not None:
            choose_teacher(run, view, width=195)
        choose_colour(run, view, width=225)
        with st.popover("View settings", icon=":material/tune:", width="content", key="view-settings"):
            if view.objective is not None:
                choose_objective(run, view)
                choose_convention(run, view)
            with st.container(horizontal=True):
                choose_filters(view)
            tied = bound("find", view.find) | {"type": "search", "max_chars": LONGEST}
            st.text_input("find in the path", placeholder="text, then Enter", **tied)
        offer_file(run, view)


def show_colours(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the legend of the colours of question `number`; it stays in view."""
    teacher = view.teacher or "no teacher"
    chosen = [teacher, objective_name(view.objective or ""), convention_name(view.convention or "")]
    show_legend(chosen, legend(view.colour), colour_scale(run, number, view))
