"""Widgets that choose parts of the view. Each shows the value in the address and writes changes back to it."""

from typing import get_args

import streamlit as st

from odd.findings.published import reference_name
from odd.method.measures import colours
from odd.store import list_runs
from odd.views.links import AT_PATH, AT_START, Reference, ViewState
from odd.views.names import convention_name, objective_name
from odd.views.resolve import question_number
from odd.views.scores import offered_colours
from odd.views.token_path import path_names
from pages.shared.data import CACHE, OpenRun
from pages.shared.state import bound, change_view, latest_view, view_of, write_view

OFFERED = 200
"""Newest runs to choose from on pages of a run; the page Runs has all."""


def choose(part: str, label: str, options: list, view: ViewState, **arguments) -> None:
    """Draw a select box for one part of the view; its value must be among the options."""
    st.selectbox(label, options, **bound(part, getattr(view, part)), **arguments)


def choose_run(view: ViewState, **arguments) -> None:
    """Choose the run; another one starts at its first question."""
    newest = (info.run_id for info in list_runs(CACHE)[:OFFERED] if info.problem is None)
    options = list(dict.fromkeys([view.run or "", *newest]))

    def opened() -> None:
        write_view(view_of(latest_view(), st.session_state["view-run"]))

    st.selectbox("run", options, **bound("run", view.run) | {"on_change": opened}, **arguments)


def step_question(run: OpenRun, view: ViewState) -> None:
    """Draw buttons for the previous and the next question."""
    names = run.query("questions")["id"].tolist()
    at = names.index(view.question)
    for label, icon, to in (("previous", "chevron_left", at - 1), ("next", "chevron_right", at + 1)):
        there = to in range(len(names))
        parts = AT_START | {"question": names[to]} if there else {}
        st.button(
            f"{label} question", icon=f":material/{icon}:", key=f"{label}-question", disabled=not there,
            on_click=change_view, kwargs=parts,
        )  # fmt: skip


def choose_question(run: OpenRun, view: ViewState, **arguments) -> None:
    """Choose the question; a new one starts at its first path, with nothing pinned or selected."""
    questions = run.query("questions")
    texts = {name: f"{name}: {text}" for name, text in zip(questions["id"], questions["text"], strict=True)}
    tied = bound("question", view.question, also=AT_START)
    st.selectbox("question", list(texts), format_func=lambda name: texts[name], **tied, **arguments)


def choose_teacher(run: OpenRun, view: ViewState, **arguments) -> None:
    """Choose the teacher whose gradient is compared with the ideal one."""
    choose("teacher", "teacher", run.query("teachers")["teacher"].tolist(), view, **arguments)


def choose_objective(run: OpenRun, view: ViewState, **arguments) -> None:
    """Choose the loss that the teacher's gradient comes from."""
    options = run.query("measures")["objective"].unique().tolist()
    choose("objective", "objective", options, view, format_func=objective_name, **arguments)


def choose_convention(run: OpenRun, view: ViewState, **arguments) -> None:
    """Choose which rollouts count for a node, and how tokens outside its visited children are treated."""
    options = run.query("measures")["convention"].unique().tolist()
    choose("convention", "convention", options, view, format_func=convention_name, **arguments)


def answer_kinds(run: OpenRun) -> list[str]:
    """Kinds of answers of the run's questions, sorted."""
    return sorted(run.query("questions")["kind"].dropna().unique().tolist())


def choose_answers(run: OpenRun, view: ViewState, **arguments) -> None:
    """Choose the kind of answer that questions must have."""
    options = dict.fromkeys(["", *answer_kinds(run), view.kind or ""])
    tied = bound("kind", view.kind or "", to_view=lambda kind: kind or None)
    st.selectbox("answers", list(options), format_func=lambda kind: kind or "all", **tied, **arguments)


def choose_reference(view: ViewState, **arguments) -> None:
    """Choose the paper's numbers to show beside those of the run."""
    choose("reference", "paper's numbers", list(get_args(Reference)), view, format_func=reference_name, **arguments)


def choose_path(run: OpenRun, view: ViewState, **arguments) -> None:
    """Choose the representative path; a new one has nothing pinned."""
    paths = run.query("paths", question=question_number(run, view))
    lengths = dict(zip(paths["path"].tolist(), paths["length"].tolist(), strict=True))
    names = {path: f"{name} ({lengths[path]} tokens)" for path, name in path_names(paths).items()}
    tied = bound("path", view.path, also=AT_PATH)
    st.selectbox("path", list(names), format_func=lambda path: names[path], **tied, **arguments)


def choose_colour(run: OpenRun, view: ViewState, **arguments) -> None:
    """Choose the measure that colours the tokens."""
    names = {key: measure.name for key, measure in colours().items()}
    offered = dict.fromkeys([*offered_colours(run), view.colour])
    choose("colour", "colour by", list(offered), view, format_func=names.__getitem__, **arguments)


def choose_filters(view: ViewState) -> None:
    """Choose which tokens are coloured."""
    st.number_input(
        "min |S_u|", 0, 10**9, **bound("children", view.children), width=110,
        help="Colour only tokens whose node has at least this many children with enough visits; 0 to 2 colour all.",
    )  # fmt: skip
    st.number_input(
        "min visits", 0, 10**9, **bound("visits", view.visits), width=110, step=20,
        help="Colour only tokens whose children in S_u have at least this many visits in total.",
    )  # fmt: skip
    st.toggle(
        "only decision points", **bound("decisions", view.decisions),
        help="Colour only tokens where the choice affects the student's success.",
    )  # fmt: skip
