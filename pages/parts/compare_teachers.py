"""Teachers over all questions of the run."""

import streamlit as st

from odd.views.comparison import Comparison, compare, payload, table
from odd.views.links import ViewState
from odd.views.missing import no_decision_point
from odd.views.names import file_name
from pages.parts.compare_panel import heading
from pages.shared.data import OpenRun, kept
from pages.shared.mount import mount
from pages.shared.state import change_view


def compared(run: OpenRun, view: ViewState) -> Comparison:
    """The chosen teachers over all questions, under the chosen objective and convention."""
    return _compared(run, view.objective or "", view.convention or "", view.teachers, view.baseline or "")


@kept
def _compared(run: OpenRun, objective: str, convention: str, teachers: tuple[str, ...], baseline: str) -> Comparison:
    return compare(run.query("decisions", objective=objective, convention=convention), teachers, baseline)


def show(run: OpenRun, view: ViewState, comparison: Comparison) -> None:
    """Draw the table of teachers."""
    with st.container(border=True):
        questions = "one question" if comparison.questions == 1 else f"{comparison.questions} questions"
        counts = f"{comparison.common:,} of {comparison.nodes:,} decision points scored under every teacher"
        title = f"**Across {questions}** :gray[· {counts} · intervals over questions]"
        heading(run, title, "teachers", lambda: table(comparison))
        for notice in notices(comparison):
            st.info(notice, icon=":material/info:")
        data = payload(comparison) | {"name": file_name(run.run_id, "teachers")}
        mount("teacher_table", "teacher-table", data, baseline=lambda name: choose(view, name))


def choose(view: ViewState, name: object) -> None:
    """Make the clicked teacher the baseline."""
    if name in view.teachers:
        change_view(baseline=name)


def notices(comparison: Comparison) -> list[str]:
    """Explain why there may be little to see."""
    found = []
    if len(comparison.rows) == 1:
        found.append(
            "There is only one teacher, so there is nothing to compare it with. Choose another one above, or add one "
            "on the Runs page."
        )
    if not comparison.nodes:
        found.append(no_decision_point("This run"))
    return found
