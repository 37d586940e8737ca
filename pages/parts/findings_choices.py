"""The choices of the page Findings: what counts, and which runs and numbers of the paper stand side by side."""

from typing import get_args

import streamlit as st

from odd.errors import OddError
from odd.findings.evidence import Filters
from odd.findings.kinds import SECTIONS
from odd.findings.runs import run_names
from odd.store import run_files
from odd.views.links import Difficulty, Outcome, ViewState
from pages.shared.choices import choose, choose_answers, choose_convention, choose_objective, choose_reference
from pages.shared.data import CACHE, OpenRun, named_run
from pages.shared.state import bound

MOST = 4
"""Runs side by side."""


def show_choices(run: OpenRun, view: ViewState) -> None:
    """Draw the choices."""
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
    """Which further runs stand beside this one."""
    # only their names: to open all of them for each change would cost more than the page
    others = [path.stem for path in run_files(CACHE) if path.stem != run.run_id]
    if others or view.runs:
        options = list(dict.fromkeys([*others, *view.runs]))
        tied = bound("runs", list(view.runs), to_view=tuple)
        st.multiselect("and other runs", options, max_selections=MOST - 1, width=300, placeholder="none", **tied)


def filters(view: ViewState) -> Filters:
    """What counts."""
    return Filters(view.objective, view.convention, view.outcome, view.difficulty, view.kind)


def chosen_runs(run: OpenRun, view: ViewState) -> tuple[dict[str, OpenRun], list[str]]:
    """The run and those beside it by name, and a sentence for each that cannot stand there."""
    runs, problems = {run.run_id: run}, []
    for run_id in dict.fromkeys(view.runs):
        if run_id in runs or len(runs) == MOST:
            continue
        try:
            other = named_run(run_id)
        except OddError as error:
            problems.append(f"{error}; left out.")
            continue
        if why := _lacks(other, view):
            problems.append(f"Run {run_id} has no {why}: left out.")
            continue
        runs[run_id] = other
    names = run_names({run_id: one.meta for run_id, one in runs.items()})
    return {names[run_id]: one for run_id, one in runs.items()}, problems


def _lacks(run: OpenRun, view: ViewState) -> str:
    """What of the chosen measure a run does not have."""
    measures = run.query("measures")
    for part in ("objective", "convention"):
        if getattr(view, part) not in measures[part].tolist():
            return f"{part} {getattr(view, part)!r}"
    return ""
