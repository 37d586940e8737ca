"""The page Questions."""

import streamlit as st

from pages.shared.frame import open_page

run, view = open_page("Questions")
st.text(repr(view))
