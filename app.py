"""The dashboard: page config and navigation; nothing else."""

import streamlit as st

from pages.shared.frame import navigation

st.set_page_config(page_title="ODD", page_icon=":material/account_tree:", layout="wide")
navigation().run()
