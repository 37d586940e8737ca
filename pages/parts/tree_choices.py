"""The controls of the Tree page, and its legend."""

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
    choose_question,
    choose_teacher,
)
from pages.shared.data import OpenRun
from pages.shared.legend import show_legend
from pages.shared.state import bound


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the controls and the legend for question `number`."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="tree-choices"):
        choose_question(run, view, width=300)
        if view.path is not None:
            choose_path(run, view, width=190)
        if view.teacher is not None:
            choose_teacher(run, view, width=160)
        if view.objective is not None:
            choose_objective(run, view, width=150)
            choose_convention(run, view, width=230)
        choose_colour(run, view, width=190)
        choose_filters(view)
        tied = bound("find", view.find) | {"type": "search", "max_chars": LONGEST}
        st.text_input("find in the path", placeholder="text, then Enter", width=170, **tied)
    teacher = view.teacher or "no teacher"
    chosen = [teacher, objective_name(view.objective or ""), convention_name(view.convention or "")]
    show_legend(chosen, legend(view.colour), colour_scale(run, number, view))
