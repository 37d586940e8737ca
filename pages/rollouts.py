"""The Rollouts page: all rollouts of a question to filter, search and read."""

import streamlit as st

from odd.views.resolve import question_number
from pages.parts import question_card, rollout_list
from pages.shared.frame import open_page

with open_page("Rollouts") as (run, view):
    if view.question is None:
        st.info("This run has no questions yet.")
        st.stop()
    number = question_number(run, view)
    question_card.show(run, view, number)
    rollout_list.show(run, view, number)
