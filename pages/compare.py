"""The page Compare."""

import streamlit as st

from pages.shared.frame import open_page

run, view = open_page("Compare")
st.text(repr(view))
