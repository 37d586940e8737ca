"""The findings of a run, one below the other, and the tokens behind them."""

from typing import get_args

import streamlit as st

from odd.display.download import csv
from odd.display.findings import FINDINGS, WHATEVER_OUTCOME, Finding, gather
from odd.display.missing import why_no_scores
from odd.display.resolve import resolve
from odd.display.spelling import markdown_escaped
from odd.display.strongest_tokens import (
    StrongestTokens,
    export,
    payload,
    place,
    row_key,
    sentence,
    strongest_tokens,
)
from odd.links import NO_BRANCH, Outcome, ViewState
from pages.shared.choices import choose, choose_convention, choose_objective, choose_teacher
from pages.shared.data import OpenRun, kept
from pages.shared.layout import figure
from pages.shared.mount import mount

MOST = 8
"""Strongest tokens of each sign."""

_evidence = kept(gather)


@kept
def _finding(run: OpenRun, objective: str | None, convention: str | None, outcome: Outcome, at: int) -> Finding:
    return FINDINGS[at](_evidence(run, objective, convention), outcome)


def show_findings(run: OpenRun, view: ViewState) -> None:
    """Draw the page below its header."""
    with st.container(horizontal=True):
        choose_objective(run, view, width=170)
        choose_convention(run, view, width=270)
        choose("outcome", "paths", list(get_args(Outcome)), view, width=140)
    evidence = _evidence(run, view.objective, view.convention)
    if why := why_no_scores(run, decision_points=not evidence.scores.empty):
        st.info(why)
        return
    if len(evidence.teachers) == 1:
        st.info("The run has one teacher, so there is none to rank it against: add another on the page Runs.")
    for at, find in enumerate(FINDINGS):
        outcome = "all" if find in WHATEVER_OUTCOME else view.outcome
        _draw(run, _finding(run, view.objective, view.convention, outcome, at))
    _draw_tokens(run, view)


def _draw(run: OpenRun, finding: Finding) -> None:
    name = f"{run.run_id}-{finding.key}"
    with st.container(border=True):
        st.markdown(f"#### {markdown_escaped(finding.title)}")
        first, *others = map(markdown_escaped, finding.sentences)
        st.markdown(first)
        st.caption("  \n".join(others))
        figure(finding.figure, name, f"figure-{finding.key}")
        with st.expander("Numbers"):
            st.dataframe(finding.shown, hide_index=True)
            _download(f"{name}.csv", lambda: csv(finding.table), finding.key)


def _download(name: str, make, key: str) -> None:
    st.download_button(
        "Download CSV", make, name, "text/csv", key=f"download-{key}", icon=":material/download:", on_click="ignore"
    )


@kept
def _strongest(run: OpenRun, view: ViewState) -> StrongestTokens:
    return strongest_tokens(run, view, MOST)


def _draw_tokens(run: OpenRun, view: ViewState) -> None:
    asked = ViewState(teacher=view.teacher, objective=view.objective, convention=view.convention, outcome=view.outcome)
    found = _strongest(run, asked)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.markdown("#### The tokens behind it: where a teacher helps and hurts most", width="stretch")
            choose_teacher(run, view, width=200)
        st.markdown(markdown_escaped(sentence(found, view.teacher or "", MOST)))
        if len(found.rows):
            mount("table", "strongest-tokens", payload(found, view), open=lambda key: _open(run, view, found, key))
            _download(f"{run.run_id}-strongest-tokens.csv", lambda: csv(export(found)), "strongest")


def _open(run: OpenRun, view: ViewState, found: StrongestTokens, key: object) -> None:
    for row in found.rows.to_dict("records"):
        if row_key(row) == key:
            there = view.but(**NO_BRANCH, **place(row))
            st.switch_page("pages/tree.py", query_params=resolve(run, there).view.to_query())
