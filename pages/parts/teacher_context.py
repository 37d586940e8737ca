"""What the chosen teacher is shown for a question: the demonstrations, who wrote them, and the full prompt."""

import streamlit as st

from odd.text import markdown_escaped, visible_text
from odd.views.links import ViewState
from odd.views.teacher_context import Given, given_to
from pages.shared.data import OpenRun, kept

OPEN = "teacher-context"
"""Key of whether it is open."""
_given = kept(given_to)


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the prompt of the chosen teacher for question `number`, if there is one."""
    given = _given(run, number, view.teacher)
    if given is None or view.teacher is None:
        return
    label = f"What teacher {markdown_escaped(view.teacher)} is shown for this question"
    with st.expander(label, key=OPEN, on_change="rerun") as place:
        if place.open:  # the browser loads a highlighter of 1.6 MB for the first st.code, which takes it 0.7 s
            _draw(given)


def _draw(given: Given) -> None:
    if given.reason is not None:
        st.text(visible_text(given.reason))
    for example in given.examples:
        st.caption(markdown_escaped(example.title))
        st.code(visible_text(example.text), language=None, wrap_lines=True)
        if example.response is not None:
            st.caption("summarises this response")
            st.code(visible_text(example.response), language=None, wrap_lines=True)
    if given.tries:
        st.caption("  \n".join(map(markdown_escaped, given.tries)))
    if given.prompt is None:
        st.caption("This teacher has no prompt for this question.")
        return
    if given.examples:
        st.caption("the full prompt")
    st.code(visible_text(given.prompt), language=None, wrap_lines=True)
