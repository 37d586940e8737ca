"""The controls of the Findings page: filters, further runs, and the paper's numbers to show for reference."""

from typing import get_args

import streamlit as st

from odd.errors import OddError
from odd.findings.evidence import Filters
from odd.findings.kinds import SECTIONS
from odd.findings.runs import run_names
from odd.store import list_runs
from odd.views.links import Difficulty, Outcome, ViewState
from pages.shared.choices import choose, choose_answers, choose_convention, choose_objective, choose_reference
from pages.shared.data import CACHE, OpenRun, named_run
from pages.shared.state import bound

MOST = 4
"""Runs shown side by side at most."""
OFFERED = 1000
"""Newest runs that can be chosen; a name that is not among them can be typed."""


def show_choices(run: OpenRun, view: ViewState) -> None:
    """Draw the controls."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        choose_objective(run, view, width=150)
        choose_convention(run, view, width=230)
        choose("outcome", "paths", list(get_args(Outcome)), view, width=120)
        choose("difficulty", "questions", list(get_args(Difficulty)), view, width=120)
        choose_answers(run, view, width=120)
        choose_reference(view, width=190)
        _choose_runs(run, view)
    st.segmented_control(
        "section", list(SECTIONS), **bound("section", view.section, lambda chosen: chosen or view.section),
        format_func=lambda one: SECTIONS[one], label_visibility="collapsed",
    )  # fmt: skip


def _choose_runs(run: OpenRun, view: ViewState) -> None:
    """Choose further runs to show beside this one."""
    others = [info.run_id for info in list_runs(CACHE) if info.run_id != run.run_id][:OFFERED]
    if others or view.runs:
        options = list(dict.fromkeys([*others, *view.runs]))
        tied = bound("runs", list(view.runs), to_view=tuple)
        st.multiselect(
            "and other runs",
            options,
            max_selections=MOST - 1,
            width=300,
            placeholder="none",
            accept_new_options=True,
            **tied,
        )


def filters(view: ViewState) -> Filters:
    """The filters of the view."""
    return Filters(view.objective, view.convention, view.outcome, view.difficulty, view.kind)


def chosen_runs(run: OpenRun, view: ViewState) -> tuple[dict[str, OpenRun], list[str]]:
    """Return the runs to show, by name, and a message for each one left out."""
    runs, problems = {run.run_id: run}, []
    for run_id in dict.fromkeys(view.runs):
        if run_id in runs or len(runs) == MOST:
            continue
        try:
            other = named_run(run_id)
        except OddError as error:
            problems.append(f"{error}. It is left out.")
            continue
        if why := _lacks(other, view):
            problems.append(f"Run {run_id} has no {why}, so it is left out.")
            continue
        runs[run_id] = other
    names = run_names({run_id: one.meta for run_id, one in runs.items()})
    return {names[run_id]: one for run_id, one in runs.items()}, problems


def _lacks(run: OpenRun, view: ViewState) -> str:
    """The chosen objective or convention if the run lacks it, else empty."""
    measures = run.query("measures")
    for part in ("objective", "convention"):
        if getattr(view, part) not in measures[part].tolist():
            return f"{part} {getattr(view, part)!r}"
    return ""
