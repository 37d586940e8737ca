"""Widgets that choose parts of the view. Each shows what the address says and writes what is chosen into it."""

from typing import get_args

import streamlit as st

from odd.findings.published import reference_name
from odd.method.measures import colours
from odd.views.links import AT_START, Reference, ViewState
from odd.views.names import convention_name, objective_name
from odd.views.resolve import question_number
from odd.views.token_path import path_names
from pages.shared.data import OpenRun
from pages.shared.state import bound


def choose(part: str, label: str, options: list, view: ViewState, **arguments) -> None:
    """A select box for one part of the view, whose value must be among the options."""
    st.selectbox(label, options, **bound(part, getattr(view, part)), **arguments)


def choose_question(run: OpenRun, view: ViewState, **arguments) -> None:
    """Which question; another question starts at its first path, with nothing pinned or selected."""
    questions = run.query("questions")
    texts = {name: f"{name}: {text}" for name, text in zip(questions["id"], questions["text"], strict=True)}
    tied = bound("question", view.question, also=AT_START)
    st.selectbox("question", list(texts), format_func=lambda name: texts[name], **tied, **arguments)


def choose_teacher(run: OpenRun, view: ViewState, **arguments) -> None:
    """Whose gradient is compared with the ideal one."""
    choose("teacher", "teacher", run.query("teachers")["teacher"].tolist(), view, **arguments)


def choose_objective(run: OpenRun, view: ViewState, **arguments) -> None:
    """Which loss the teacher's gradient comes from."""
    options = run.query("measures")["objective"].unique().tolist()
    choose("objective", "objective", options, view, format_func=objective_name, **arguments)


def choose_convention(run: OpenRun, view: ViewState, **arguments) -> None:
    """Which rollouts count for a node, and what happens outside its visited children."""
    options = run.query("measures")["convention"].unique().tolist()
    choose("convention", "convention", options, view, format_func=convention_name, **arguments)


def choose_answers(run: OpenRun, view: ViewState, **arguments) -> None:
    """Questions of which kind of answer count."""
    kinds = sorted(run.query("questions")["kind"].dropna().unique().tolist())
    options = dict.fromkeys(["", *kinds, view.kind or ""])
    tied = bound("kind", view.kind or "", to_view=lambda kind: kind or None)
    st.selectbox("answers", list(options), format_func=lambda kind: kind or "all", **tied, **arguments)


def choose_reference(view: ViewState, **arguments) -> None:
    """Which numbers of the paper stand beside those of the run."""
    choose("reference", "beside the paper's", list(get_args(Reference)), view, format_func=reference_name, **arguments)


def choose_path(run: OpenRun, view: ViewState, **arguments) -> None:
    """Which representative path; another path has nothing pinned."""
    paths = run.query("paths", question=question_number(run, view))
    lengths = dict(zip(paths["path"].tolist(), paths["length"].tolist(), strict=True))
    names = {path: f"{name} ({lengths[path]} tokens)" for path, name in path_names(paths).items()}
    tied = bound("path", view.path, also={"token": None})
    st.selectbox("path", list(names), format_func=lambda path: names[path], **tied, **arguments)


def choose_colour(view: ViewState, **arguments) -> None:
    """What the colour of a token stands for."""
    names = {key: measure.name for key, measure in colours().items()}
    choose("colour", "colour by", list(names), view, format_func=names.__getitem__, **arguments)


def choose_filters(view: ViewState) -> None:
    """Which tokens are coloured."""
    st.number_input(
        "least |S_u|", 0, 10**9, **bound("children", view.children), width=110,
        help="Colour only tokens whose node has at least so many children with enough visits; up to 2 colours all.",
    )  # fmt: skip
    st.number_input(
        "least visits", 0, 10**9, **bound("visits", view.visits), width=110, step=20,
        help="Colour only tokens whose children in S_u have at least so many visits together.",
    )  # fmt: skip
    st.toggle(
        "only decision points", **bound("decisions", view.decisions),
        help="Colour only tokens where the choice changes the student's success.",
    )  # fmt: skip
