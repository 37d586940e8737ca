"""The Compare page: teachers side by side over all questions, along one path and at one token."""

import streamlit as st

from pages.parts import compare_choices, compare_pairs, compare_path, compare_teachers, compare_token
from pages.shared.frame import open_page

with open_page("Compare") as (run, view):
    if not view.teachers or view.question is None:
        what = "question" if view.question is None else "teacher"
        st.info(f"This run has no {what} yet, so there is nothing to compare. Add one on the Runs page.")
        st.stop()
    comparison = compare_teachers.compared(run, view)
    compare_choices.show(run, view)
    compare_teachers.show(run, view, comparison)
    if view.path is not None:
        compare_path.show(run, view, comparison.order)
        compare_token.show(run, view, comparison.order)
    else:
        compare_path.show_without(run, view)
    compare_pairs.show(run, view, comparison)
