"""The findings of one or more runs, section by section: sentences, figure, table and tokens."""

from collections.abc import Mapping

import streamlit as st

from odd.export.tables import csv
from odd.findings import words
from odd.findings.compose import Finding, compose, numbers
from odd.findings.evidence import Evidence, Filters, gather
from odd.findings.kinds import BY_KEY, KINDS
from odd.findings.model import Found
from odd.findings.paper import CREDIT, published
from odd.text import markdown_escaped
from odd.views.finding_figures import figure_of
from odd.views.finding_table import destination, merged, row_name, table_payload
from odd.views.links import Outcome, Reference, ViewState
from odd.views.missing import why_no_decision_point, why_no_scores
from pages.parts.findings_choices import chosen_runs, filters, show_choices
from pages.parts.findings_tokens import ask_strongest, download, show_behind, show_path, show_strongest
from pages.shared.data import OpenRun, keeping, kept
from pages.shared.layout import figure
from pages.shared.mount import mount
from pages.shared.state import change_view

NO_QUESTION = "No question of this run has the chosen difficulty and kind of answer."
PATH_AFTER, STRONGEST_AFTER = "oscillation", "outcomes"
"""The findings below which one path and the strongest tokens are shown."""


@keeping(8)
def _evidence(run: OpenRun, chosen: Filters) -> Evidence:
    return gather(run, run.meta, chosen)


@keeping(512)
def _found(run: OpenRun, chosen: Filters, key: str) -> Found:
    with st.spinner("Computing the findings …"):
        return BY_KEY[key].find(_evidence(run, chosen))


@kept
def _finding(
    runs: tuple[OpenRun, ...], names: tuple[str, ...], chosen: Filters, outcome: Outcome, reference: Reference, key: str
) -> Finding:
    founds = {name: _found(run, chosen, key) for name, run in zip(names, runs, strict=True)}
    return compose(BY_KEY[key], founds, outcome, reference)


def show_findings(run: OpenRun, view: ViewState) -> None:
    """Draw the page below its header."""
    chosen = filters(view)
    for name in ("finding_scores", "finding_components", "finding_halves"):
        run.ask(name, objective=chosen.objective, convention=chosen.convention)
    show_choices(run, view)
    runs, problems = chosen_runs(run, view)
    for problem in problems:
        _say_missing(problem)
    evidence = _evidence(run, chosen)
    if BY_KEY[STRONGEST_AFTER].section == view.section:
        ask_strongest(run, evidence, view)
    if why := _why_nothing(run, evidence):
        st.info(why)
        return
    for name, one in runs.items():
        basis = words.basis(_evidence(one, chosen))
        st.caption(markdown_escaped(basis if len(runs) == 1 else f"{words.short(name)}: {basis}"))
    if len(evidence.teachers) == 1:
        st.info("The run has only one teacher, so there is no ranking. Add another one on the Runs page.")
    if view.behind and _asked_row(view)[0] not in BY_KEY:
        _say_missing(f"There is no finding {_asked_row(view)[0]!r}. The findings of this section are below.")
    for kind in KINDS:
        if kind.section == view.section:
            _draw(
                runs, _finding(tuple(runs.values()), tuple(runs), chosen, view.outcome, view.reference, kind.key), view
            )
            if kind.key == PATH_AFTER:
                show_path(run, evidence, view)
            if kind.key == STRONGEST_AFTER:
                show_strongest(run, evidence, view)


def _why_nothing(run: OpenRun, evidence: Evidence) -> str:
    """Explain why there is nothing to show; empty if there is something."""
    if why := why_no_scores(run, decision_points=True):
        return why
    if not evidence.asked:
        return NO_QUESTION
    if len(evidence.on()):
        return ""
    questions = run.query("questions")
    asked = questions[questions["question"].isin(evidence.asked)]
    subject = "This run" if len(asked) == len(questions) else "This selection"
    return why_no_decision_point(run, subject, asked)


def _draw(runs: Mapping[str, OpenRun], finding: Finding, view: ViewState) -> None:
    key = finding.kind.key
    name = f"{next(iter(runs.values())).run_id}-{key}"
    with st.container(border=True):
        st.markdown(f"## {markdown_escaped(finding.title)}")
        st.caption(markdown_escaped(finding.kind.about))
        for sentence in finding.sentences:
            st.markdown(markdown_escaped(sentence))
        if finding.notes:
            st.caption("  \n".join(map(markdown_escaped, finding.notes)))
        if (drawn := figure_of(finding)) is not None:
            figure(drawn, name, f"figure-{key}", wide=True)
            rows = {row_name(finding, next(iter(found.values()))): found for found in merged(finding).values()}
            with st.expander("Numbers and the tokens behind them", expanded=view.behind in rows):
                payload = table_payload(finding, view)
                mount("table", f"table-{key}", payload, open=lambda one: _choose(finding, view, str(one)))
                download(f"{name}.csv", lambda: csv(numbers(finding)), key)
                _draw_published(finding)
            if view.behind in rows:
                evidences = {one: _evidence(runs[one], filters(view)) for one in rows[view.behind]}
                show_behind(runs, evidences, rows[view.behind], view)
            elif _asked_row(view)[0] == key:
                _say_missing(f"This finding has no row {_asked_row(view)[1]!r}. The table lists its rows.")


def _asked_row(view: ViewState) -> tuple[str, str]:
    """Key of the finding and name of the row whose tokens the view selects; empty if none is selected."""
    finding, _, row = (view.behind or "").partition(":")
    return finding, row


def _say_missing(what: str) -> None:
    st.warning(markdown_escaped(what), icon=":material/link_off:")


def _choose(finding: Finding, view: ViewState, key: str) -> None:
    """List the tokens behind a row, or hide them on a second click."""
    for found in merged(finding).values():
        row = next(iter(found.values()))
        if row_name(finding, row) == key:
            at = destination(finding, row, view)
            change_view(**(at | ({"behind": None} if at["behind"] == view.behind else {})))


def _draw_published(finding: Finding) -> None:
    for table in finding.kind.tables if finding.reference else ():
        st.caption(f"Table {table} as published: {CREDIT}")
        st.dataframe(published(table), hide_index=True, height=210)
