"""The list of questions: filters, table, download."""

from typing import get_args

import pandas as pd
import streamlit as st

from odd.export.tables import csv
from odd.text import markdown_escaped, visible_text
from odd.views.engine_check import engine_lines
from odd.views.import_report import import_lines
from odd.views.links import AT_START, LONGEST, Difficulty, ViewState
from odd.views.missing import why_no_scores
from odd.views.question_table import QuestionTable, export, listed, payload, question_table, sort_keys
from pages.shared.choices import choose, choose_convention, choose_objective
from pages.shared.data import OpenRun, kept
from pages.shared.frame import open_tree
from pages.shared.mount import mount
from pages.shared.state import bound, change_view

HAVING = {"decisions": "decision points", "teachers": "all teachers"}

_table = kept(question_table)


def show_questions(run: OpenRun, view: ViewState) -> None:
    """Draw the page below its header."""
    if lines := import_lines(run.meta.get("imported", "")):
        with st.expander(f"Rollouts from logs, {lines[0]}"):
            st.markdown("\n".join(f"* {markdown_escaped(visible_text(line))}" for line in lines[1:]))
    if lines := engine_lines(run.meta.get("engine_check", "")):
        with st.expander(lines[0]):
            st.markdown("\n".join(f"* {markdown_escaped(visible_text(line))}" for line in lines[1:]))
    table = _table(run, view.objective, view.convention)
    _filters(run, view, table)
    _say_what_is_missing(run, table, view)
    running = run.meta.get("status") != "finished"
    rows = listed(table, view)
    events = {"sort": lambda key: _sort(table, key), "open": lambda name: _open(run, table, name)}
    drawn = payload(table, rows, view, running, _caption(table, rows, running))
    mount("table", "question-table", drawn, **events)
    st.download_button(
        "Download CSV",
        lambda: csv(export(table, rows)),
        file_name=f"{run.run_id}-questions.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _filters(run: OpenRun, view: ViewState, table: QuestionTable) -> None:
    counts = table.rows["difficulty"].value_counts().to_dict() | {"all": len(table.rows)}
    difficulties = list(get_args(Difficulty))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choose_objective(run, view, width=140)
        choose_convention(run, view, width=240)
        names = {name: f"{name} ({counts.get(name, 0)})" for name in difficulties}
        choose("difficulty", "difficulty", difficulties, view, width=125, format_func=names.__getitem__)
        tied = bound("search", view.search) | {"type": "search", "max_chars": LONGEST, "live": "500ms"}
        st.text_input("search", placeholder="text, id", width=140, **tied)
        tied = bound("having", list(view.having), to_view=tuple)
        st.pills("only with", list(HAVING), selection_mode="multi", format_func=HAVING.__getitem__, **tied)


def _caption(table: QuestionTable, rows: pd.DataFrame, running: bool) -> str:
    scored = f", {int((table.rows['stage'] == 'scored').sum())} scored so far" if running else ""
    return f"{len(rows)} of {len(table.rows)} questions{scored}. Click a question to open its tree."


def _say_what_is_missing(run: OpenRun, table: QuestionTable, view: ViewState) -> None:
    if view.sort.removeprefix("-") not in sort_keys(table):
        said = markdown_escaped(f"There is no column {view.sort!r} here, so the questions are in run order.")
        st.warning(said, icon=":material/link_off:")
    if why := why_no_scores(run, decision_points=bool(table.rows["decision_points"].any())):
        st.info(why)


def _sort(table: QuestionTable, key: object) -> None:
    if isinstance(key, str) and key.removeprefix("-") in sort_keys(table):
        change_view(sort=key)


def _open(run: OpenRun, table: QuestionTable, name: object) -> None:
    if name in table.rows["id"].tolist():
        open_tree(run, question=str(name), **AT_START)
