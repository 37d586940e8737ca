"""The Tree page: a path token by token, the pinned token beside it, and the tree of the question's rollouts."""

import streamlit as st

from odd.views.resolve import question_number
from pages.parts import generation_tree, pinned_token, question_card, teacher_context, token_path, tree_choices
from pages.shared.frame import open_page
from pages.shared.layout import beside

with open_page("Tree") as (run, view):
    if view.question is None:
        st.info("This run has no questions yet.")
        st.stop()
    number = question_number(run, view)
    token_path.ask(run, view, number)
    tree_choices.show(run, view)
    question_card.show(run, view, number)
    text, pinned = beside([1.6, 1], "reading")
    with text:
        token_path.show(run, view, number)
        generation_tree.show(run, view)
    with pinned:
        pinned_token.show(run, view, number)
    teacher_context.show(run, view, number)
    tree_choices.show_colours(run, view, number)
