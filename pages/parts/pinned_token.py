"""The pinned token on the Tree page: a figure of the gradients, a table of all children, and continuations."""

import streamlit as st

from odd.export.tables import csv
from odd.text import LONGEST_WORD, markdown_escaped, shortened
from odd.views.figures.gradients import gradient_figure
from odd.views.links import ViewState
from odd.views.names import file_name
from odd.views.pinned_token import (
    children_table,
    continuations,
    drawn_children,
    drawn_rollouts,
    read_table,
    token_children,
)
from odd.views.truncation import truncated_children
from pages.shared.data import OpenRun
from pages.shared.layout import figure
from pages.shared.mount import mount
from pages.shared.state import change_view

COLUMNS = {
    "token": st.column_config.TextColumn(width=68),
    "taken": st.column_config.CheckboxColumn(width=44, help="The path continues with this token"),
    "in S_u": st.column_config.CheckboxColumn(width=44, help="Has enough visits to count in the gradients"),
    "P student": st.column_config.NumberColumn(width=60, format="%.3f"),
    "P teacher": st.column_config.NumberColumn(width=60, format="%.3f"),
    "P̂ success": st.column_config.TextColumn(width=118, help="With its 95% interval"),
    "visits": st.column_config.NumberColumn(width=44),
    "truncated": st.column_config.NumberColumn(
        "cut", width=46, help="Rollouts that were truncated at the length limit: they count as wrong"
    ),
    "ideal gradient": st.column_config.NumberColumn("ideal", width=56, format="%+.3f", help="Ideal gradient"),
    "teacher gradient": st.column_config.NumberColumn("teacher", width=60, format="%+.3f", help="Teacher gradient"),
}
SHOWN = "token", "P student", "P teacher", "P̂ success", "visits", "truncated"
"""Columns in the panel, which is narrow; the figure has the gradients, and the CSV file has all."""
DRAW = "draw-of-rollouts"
"""Session-state key of the draw of rollouts; not part of the view, so a link always shows the first draw."""

STYLE = """<style>
[data-testid="stLayoutWrapper"]:has(> .st-key-pinned-token) { position: sticky; top: 0.5rem; }
.st-key-pinned-token { max-height: calc(100vh - 4.5rem); overflow-y: auto; padding: 0.5rem 0.75rem; }
/* beside a narrow text there is no room: a drawer at the lower edge of the window */
@media (max-width: 1100px) {
  [data-testid="stLayoutWrapper"]:has(> .st-key-pinned-token) {
    position: fixed; inset: auto 1rem 3.4rem auto; z-index: 95;
    width: min(calc(100vw - 2rem), 30rem); }
  .st-key-pinned-token { max-height: 42vh; background: light-dark(#ffffff, #0e1117);
    box-shadow: 0 4px 24px rgba(0, 0, 0, 0.25); }
}
</style>"""


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the panels of the pinned token of question `number`."""
    if view.path is None:
        return
    st.html(STYLE)
    if view.position is None:
        st.caption("Nothing is pinned. Click a token, or move to it with ← → and press Enter, to see its details.")
    else:
        children = token_children(run, number, view)
        with st.container(border=True, key="pinned-token"):
            show_gradients(run, view, number, children)
            show_continuations(run, view, number)


def show_gradients(run: OpenRun, view: ViewState, number: int, children) -> None:
    """Draw the figure and the table of the pinned token's node."""
    taken = children.loc[children["taken"], "text"].iloc[0].replace(" ", "·")
    with st.container(horizontal=True, vertical_alignment="center", wrap=False):
        word = markdown_escaped(shortened(taken, LONGEST_WORD))
        st.markdown(f"**Pinned: token {view.position} “{word}”**", width="stretch")
        st.button("Unpin", icon=":material/close:", type="tertiary", on_click=change_view, kwargs={"position": None})
    drawn = drawn_children(children)
    name = file_name(run.run_id, view.question, f"path-{view.path}-token-{view.position}")
    figure(gradient_figure(drawn), f"{name}-gradients", "gradients")
    if drawn["ideal"].isna().all():
        st.caption(
            "There is no gradient here: fewer than two children have enough visits, or the teacher has no scores."
        )
    table = children_table(children, truncated_children(run, number, view))
    height = min(320, 36 * (len(table) + 1) + 3)
    looks = {"column_config": COLUMNS, "column_order": SHOWN, "hide_index": True, "placeholder": "–"}
    looks = {"column_config": COLUMNS, "column_order": SHOWN, "hide_index": True, "placeholder": "–"}
    st.dataframe(read_table(table), height=height, key="children", **looks)
    file = f"{name}.csv"
    st.download_button("CSV", lambda: csv(table), file, "text/csv", icon=":material/download:", on_click="ignore")


@st.fragment
def show_continuations(run: OpenRun, view: ViewState, number: int) -> None:
    """Show continuations of each child; another draw reruns only this fragment."""
    children = token_children(run, number, view)
    another_draw("How the student continues from here")
    mount("continuations", "continuations", continuations(run, number, view, children, st.session_state[DRAW]))


@st.fragment
def show_rollouts(run: OpenRun, number: int) -> None:
    """Show some initial rollouts of a question without paths."""
    another_draw("Some of the student's responses")
    mount("continuations", "rollouts", drawn_rollouts(run, number, st.session_state[DRAW]))


def another_draw(title: str) -> None:
    """Draw a title and a button that draws other rollouts."""
    st.session_state.setdefault(DRAW, 0)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{title}**", width="content")
        if st.button("another draw", icon=":material/casino:", type="tertiary"):
            st.session_state[DRAW] += 1
