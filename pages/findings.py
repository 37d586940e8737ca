"""The page Findings."""

import streamlit as st

from pages.shared.frame import open_page

run, view = open_page("Findings")
st.text(repr(view))
