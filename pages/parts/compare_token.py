"""The pinned token: the ideal gradient beside every teacher's."""

from collections.abc import Sequence

import streamlit as st

from odd.text import LONGEST_WORD, markdown_escaped, shortened
from odd.views.comparison_gradients import gradient_table, gradients_at, pinned_row
from odd.views.figures.comparison import gradient_bars
from odd.views.links import ViewState
from odd.views.names import file_name
from odd.views.resolve import question_number
from odd.views.token_path import end_tokens, spelled
from pages.parts.compare_panel import heading
from pages.shared.data import OpenRun
from pages.shared.layout import figure


def show(run: OpenRun, view: ViewState, teachers: Sequence[str]) -> None:
    """Draw the gradients at the pinned token, or say how to pin one."""
    with st.container(border=True):
        if view.position is None:
            st.markdown(
                "**Ideal and teacher gradients** :gray[· click a token above, or press d for the next disagreement, to "
                "see the gradients there]"
            )
            return
        found = gradients_at(run, view, teachers)
        title = f"**Token {view.position} “{_word(run, view)}”: ideal and teacher gradients**"
        if found is None:
            st.markdown(title)
            st.info(
                "There is no gradient here: fewer than two children have enough visits, or the question is not scored "
                "yet. The keys d and D jump to tokens with scores.",
                icon=":material/info:",
            )
            return
        title += " :gray[· each scaled to length 1; + pushes a child up, − down]"
        name = f"path-{view.path}-token-{view.position}-gradients"
        heading(run, title, name, lambda: gradient_table(found), view.question)
        wide = len(found["teachers"]) > 1
        figure(gradient_bars(found), file_name(run.run_id, view.question, name), "compare-gradients", wide=wide)


def _word(run: OpenRun, view: ViewState) -> str:
    question = question_number(run, view)
    row = pinned_row(run, question, view)
    text, _ = spelled(int(row["token"]), row["bytes"], end_tokens(run, question))
    return markdown_escaped(shortened(text.replace(" ", "·"), LONGEST_WORD))
