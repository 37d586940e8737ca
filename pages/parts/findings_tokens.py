"""The tokens behind findings: of a chosen row, along a path, and a teacher's strongest ones."""

from collections.abc import Mapping

import streamlit as st

from odd.export.tables import csv
from odd.findings.evidence import Evidence
from odd.findings.model import Row
from odd.text import markdown_escaped
from odd.views.figures.path_scores import Step, path_scores
from odd.views.finding_tokens import TokenList, along, behind, place, token_key, tokens_export, tokens_payload
from odd.views.links import NO_BRANCH, ViewState
from odd.views.resolve import question_number
from odd.views.strongest_tokens import StrongestTokens, asked_of, export, payload, row_key, sentence, strongest_tokens
from odd.views.strongest_tokens import place as strongest_place
from pages.shared.choices import choose_path, choose_question, choose_teacher
from pages.shared.data import OpenRun, kept
from pages.shared.frame import open_tree
from pages.shared.layout import figure
from pages.shared.mount import mount

MOST = 40
"""Tokens listed per row; the CSV file has all of them."""
STRONGEST = 8
"""Strongest tokens listed per sign."""


def download(name: str, make, key: str) -> None:
    """Draw a button that downloads a CSV file."""
    st.download_button(
        "Download CSV", make, name, "text/csv", key=f"download-{key}", icon=":material/download:", on_click="ignore"
    )


def show_behind(
    runs: Mapping[str, OpenRun], evidences: Mapping[str, Evidence], rows: Mapping[str, Row], view: ViewState
) -> None:
    """List the tokens behind a row, for each run that has it."""
    title = next(iter(rows.values())).key
    st.markdown(f"**The tokens behind {markdown_escaped(title)}**")
    for name, row in rows.items():
        run, found = runs[name], behind(evidences[name], row, MOST)
        if len(runs) > 1:
            st.caption(markdown_escaped(name))
        _draw(run, found, view, f"behind-{run.run_id}")
        if found.total:
            every = lambda evidence=evidences[name], row=row: csv(tokens_export(behind(evidence, row)))  # noqa: E731
            download(f"{run.run_id}-tokens.csv", every, f"behind-{run.run_id}")


def show_path(run: OpenRun, evidence: Evidence, view: ViewState) -> None:
    """Plot a teacher's score against the position along one path, and list its tokens."""
    with st.container(border=True):
        st.markdown("## One path: the score token by token")
        if view.question is None or view.path is None:
            st.info("No question has a path yet.")
            return
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            choose_question(run, view, width=300)
            choose_path(run, view, width=200)
            choose_teacher(run, view, width=180)
        number = question_number(run, view)
        found = along(evidence, number, view.path, view.teacher)
        paths = run.query("paths", question=number)
        length = int(paths.loc[paths["path"] == view.path, "length"].iloc[0])
        st.markdown(markdown_escaped(_path_sentence(found, length)))
        if not len(found.rows):
            return
        columns = ("position", "alignment", "low", "high", "success_range")
        steps = [
            Step(int(row["position"]), before[-1], *(float(row[name]) for name in columns[1:]))
            for row, before in zip(found.rows.to_dict("records"), found.before, strict=True)
        ]
        figure(path_scores(steps, length), f"{run.run_id}-path", "figure-path", wide=True)
        with st.expander("Tokens"):
            _draw(run, found, view, "along")
            download(f"{run.run_id}-path.csv", lambda: csv(tokens_export(found)), "path")


def _path_sentence(found: TokenList, length: int) -> str:
    values = found.rows["alignment"].dropna()
    if not len(values):
        return "No token of this path has a score under these choices."
    changes = int(((values > 0) != (values > 0).shift()).iloc[1:].sum())
    settled = int(((found.rows["low"] > 0) | (found.rows["high"] < 0)).sum())
    return (
        f"{len(values)} of {length} tokens are decision points with a score. {int((values > 0).sum())} scores are "
        f"positive and {settled} are settled. The sign changes {changes} times along the path."
    )


def _draw(run: OpenRun, found: TokenList, view: ViewState, key: str) -> None:
    places = {token_key(row): place(row, run.run_id) for row in found.rows.to_dict("records")}
    mount("table", key, tokens_payload(found, run.run_id, view), open=lambda one: _open(run, places.get(str(one))))


def _open(run: OpenRun, at: dict | None) -> None:
    if at is not None:
        open_tree(run, **NO_BRANCH, **at)


@kept
def _strongest(run: OpenRun, view: ViewState, questions: tuple[int, ...]) -> StrongestTokens:
    return strongest_tokens(run, view, STRONGEST, questions)


def ask_strongest(run: OpenRun, evidence: Evidence, view: ViewState) -> None:
    """Start the query of `show_strongest`."""
    run.ask("strongest_tokens", **asked_of(view, STRONGEST, evidence.asked))


def show_strongest(run: OpenRun, evidence: Evidence, view: ViewState) -> None:
    """List the tokens at which a teacher helps and hurts most."""
    asked = ViewState(teacher=view.teacher, objective=view.objective, convention=view.convention, outcome=view.outcome)
    found = _strongest(run, asked, tuple(sorted(evidence.asked)))
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.markdown("## Where a teacher helps and hurts most", width="stretch")
            choose_teacher(run, view, width=200)
        st.markdown(markdown_escaped(sentence(found, view.teacher or "", STRONGEST)))
        if len(found.rows):
            places = {row_key(row): strongest_place(row) for row in found.rows.to_dict("records")}
            drawn = payload(found, view)
            mount("table", "strongest-tokens", drawn, open=lambda key: _open(run, places.get(str(key))))
            download(f"{run.run_id}-strongest-tokens.csv", lambda: csv(export(found)), "strongest")
