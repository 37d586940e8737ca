"""Pairs of teachers: all pairwise differences, and where one teacher and the baseline disagree most."""

import pandas as pd
import streamlit as st

from odd.text import markdown_escaped
from odd.views.comparison import Comparison, other_teacher, pair_payload, pair_table
from odd.views.comparison_pairs import disagreement_payload, disagreements
from odd.views.links import AT_PATH, NO_BRANCH, ViewState
from odd.views.names import file_name
from pages.parts.compare_panel import heading
from pages.shared.data import OpenRun, kept
from pages.shared.layout import beside
from pages.shared.mount import mount
from pages.shared.state import bound, change_view

MOST = 50
"""Disagreements listed; the CSV file has all of them."""


@kept
def _found(run: OpenRun, objective: str, convention: str, one: str, other: str) -> pd.DataFrame:
    return disagreements(run, run.query("decisions", objective=objective, convention=convention), one, other)


def show(run: OpenRun, view: ViewState, comparison: Comparison) -> None:
    """Draw the matrix of all pairs and the list for one pair; nothing if there is only one teacher."""
    other = other_teacher(comparison, view.teacher)
    if other is None:
        return
    if len(comparison.rows) == 2:
        with st.container(border=True):
            show_list(run, view, comparison, other)
        return
    left, right = beside([1, 1.3], "pairs")
    with left.container(border=True):
        heading(run, "**Every pair** :gray[· on the same nodes]", "pairs", lambda: pair_table(comparison))
        mount("pair_matrix", "pair-matrix", pair_payload(comparison) | {"name": file_name(run.run_id, "pairs")})
        st.caption("Mean difference in alignment, with a 95% interval over questions; bold where it excludes 0.")
    with right.container(border=True):
        show_list(run, view, comparison, other)


def show_list(run: OpenRun, view: ViewState, comparison: Comparison, other: str) -> None:
    """List the tokens, over all questions, at which a teacher and the baseline disagree most."""
    baseline = comparison.baseline
    found = _found(run, view.objective or "", view.convention or "", other, baseline)
    title = f"**Where {markdown_escaped(other)} and {markdown_escaped(baseline)} disagree most**"
    heading(run, title, "disagreements", lambda: found)
    others = [name for name in comparison.order if name != baseline]
    if len(others) > 1:
        st.selectbox("teacher against the baseline", others, **bound("teacher", other), width=260)
    if found.empty:
        st.info("They have no decision points in common under this convention.", icon=":material/info:")
        return
    data = disagreement_payload(run, found, view, (other, baseline), MOST)
    mount("disagreements", "disagreements", data, open=follow)
    shown = f"{min(MOST, len(found)):,} of {len(found):,} common decision points"
    st.caption(f"{shown}, ranked by |difference in alignment| × success range. Click a row to show its token above.")


def follow(row: object) -> None:
    """Show the token of the clicked row, with nothing selected in its tree."""
    if isinstance(row, dict):
        change_view(
            question=str(row["question"]),
            path=int(row["path"]),
            **AT_PATH | {"position": int(row["position"])},
            **NO_BRANCH,
        )
