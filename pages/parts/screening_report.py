"""The results of a screening: pass rates, accuracy with each context, and the excluded questions."""

from typing import get_args

import streamlit as st

from odd.export.tables import csv
from odd.findings.paper import CREDIT
from odd.findings.published import reference_name
from odd.findings.screening import Screening, read_screening
from odd.text import markdown_escaped
from odd.views.links import AT_START, Reference, Screened, ViewState
from odd.views.screening import ScreeningReport, chosen, export, payload, report
from pages.shared.choices import choose, choose_reference
from pages.shared.data import OpenRun, kept
from pages.shared.frame import open_tree
from pages.shared.layout import figure
from pages.shared.mount import mount

_screening = kept(read_screening)


@kept
def _report(run: OpenRun, reference: Reference) -> ScreeningReport | None:
    screening = _screening(run)
    return None if screening is None else report(screening, reference)


def show_screening(run: OpenRun, view: ViewState) -> None:
    """Draw the page below its header."""
    screening, found = _screening(run), _report(run, view.reference)
    if screening is None or found is None:
        st.info(
            "This run was not screened. A screening measures, before the costly part of a run, how hard the questions "
            "are and how often the student is right when it is shown its own correct responses, wrong ones, or "
            "summaries. `odd screen` takes the options of `odd run`, and that run reuses its rollouts."
        )
        return
    with st.container(horizontal=True):
        choose_reference(view, width=220)
    _draw_difficulties(run, screening, found)
    _draw_contexts(run, found, view)
    _draw_questions(run, screening, view)


def _draw_difficulties(run: OpenRun, screening: Screening, found: ScreeningReport) -> None:
    with st.container(border=True):
        st.markdown("## How hard the questions are")
        st.markdown(markdown_escaped(found.sentences[0]))
        figure(found.pass_rates, f"{run.run_id}-pass-rates", "figure-pass-rates")
        drawn = int(screening.questions["rollouts"].max())
        st.caption(f"{drawn} rollouts per question, the first of the run's initial rollouts.")


def _draw_contexts(run: OpenRun, found: ScreeningReport, view: ViewState) -> None:
    name = f"{run.run_id}-screening"
    with st.container(border=True):
        st.markdown("## How often the student is right with each context")
        first, *others = map(markdown_escaped, found.sentences[1:])
        st.markdown(first)
        st.caption("  \n".join(others))
        figure(found.accuracy, name, "figure-contexts", wide=True)
        st.dataframe(found.shown, hide_index=True)
        st.caption("Accuracy in %, Δ in percentage points, over the questions kept; 95% intervals over questions.")
        if view.reference != "none":
            st.caption(markdown_escaped(f"Published: {reference_name(view.reference)}, tables 8 and 9 of {CREDIT}"))
        _download(f"{name}.csv", lambda: csv(found.table), "contexts")


def _draw_questions(run: OpenRun, screening: Screening, view: ViewState) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.markdown("## Questions", width="stretch")
            which = list(get_args(Screened))
            names = {name: f"{name} ({len(chosen(screening, name))})" for name in which}
            choose("screened", "listed", which, view, width=160, format_func=names.__getitem__)
        drawn = payload(screening, view)
        mount("table", "screened-questions", drawn, open=lambda key: _open(run, screening, key))
        _download(f"{run.run_id}-screened-questions.csv", lambda: csv(export(screening)), "questions")


def _download(name: str, make, key: str) -> None:
    st.download_button(
        "Download CSV", make, name, "text/csv", key=f"download-{key}", icon=":material/download:", on_click="ignore"
    )


def _open(run: OpenRun, screening: Screening, name: object) -> None:
    if name in screening.questions["id"].tolist():
        open_tree(run, question=str(name), **AT_START)
