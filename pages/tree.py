"""The page Tree."""

import streamlit as st

from pages.shared.frame import open_page

run, view = open_page("Tree")
st.text(repr(view))
