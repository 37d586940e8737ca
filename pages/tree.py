"""The Tree page: the tree of a question's rollouts, a path through it token by token, and the pinned token."""

import streamlit as st

from odd.views.resolve import question_number
from pages.parts import generation_tree, pinned_token, question_card, teacher_context, token_path, tree_choices
from pages.shared.frame import open_page

with open_page("Tree") as (run, view):
    if view.question is None:
        st.info("This run has no questions yet.")
        st.stop()
    number = question_number(run, view)
    token_path.ask(run, view, number)
    question_card.show(run, view, number)
    tree_choices.show(run, view, number)
    generation_tree.show(run, view)
    token_path.show(run, view, number)
    pinned_token.show(run, view, number)
    teacher_context.show(run, view, number)
