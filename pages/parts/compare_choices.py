"""The controls of the Compare page and the legend of its strips."""

import streamlit as st

from odd.views.comparison_path import shown_legend
from odd.views.links import ViewState
from odd.views.names import convention_name, objective_name
from odd.views.resolve import question_number
from odd.views.scores import colour_scale
from pages.shared.choices import (
    choose,
    choose_colour,
    choose_convention,
    choose_objective,
    choose_path,
)
from pages.shared.data import OpenRun
from pages.shared.legend import show_legend
from pages.shared.share import offer_file
from pages.shared.state import bound, change_view

SHOWS = {"score": "score", "difference": "difference"}


def show(run: OpenRun, view: ViewState) -> None:
    """Draw the controls and the legend."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare-who"):
        choose_teachers(run, view)
        choose("baseline", "baseline", list(view.teachers), view, width=150)
        tied = bound("show", view.show, to_view=lambda chosen: chosen or view.show)
        tied |= {"format_func": SHOWS.__getitem__, "help": "The score itself, or its difference from the baseline's."}
        st.segmented_control("show", list(SHOWS), width=190, **tied)
        choose_colour(run, view, width=180)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare-what"):
        choose_objective(run, view, width=140)
        choose_convention(run, view, width=220)
        if view.path is not None:
            choose_path(run, view, width=185)
        offer_file(run, view)
    chosen = [objective_name(view.objective or ""), convention_name(view.convention or ""), filters(view)]
    show_legend(chosen, shown_legend(view), colour_scale(run, question_number(run, view), view))


def choose_teachers(run: OpenRun, view: ViewState) -> None:
    """Choose the teachers to compare; if the baseline is deselected, the first one becomes the baseline."""
    every = run.query("teachers")["teacher"].tolist()
    key = bound("teachers", list(view.teachers))["key"]

    def changed() -> None:
        chosen = tuple(st.session_state[key]) or tuple(every)
        change_view(teachers=chosen, baseline=view.baseline if view.baseline in chosen else chosen[0])

    st.multiselect("teachers", every, key=key, on_change=changed, width="stretch")


def filters(view: ViewState) -> str:
    """Describe the Tree page's filters that also limit which tokens are coloured here; empty if there are none."""
    parts = ["only decision points"] if view.decisions else []
    parts += [f"|S_u| ≥ {view.children}"] if view.children > 2 else []
    parts += [f"visits ≥ {view.visits}"] if view.visits else []
    return f"coloured: {', '.join(parts)} (as set on Tree)" if parts else ""
