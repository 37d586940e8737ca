"""The dashboard: its pages and their order; nothing else."""

import streamlit as st

st.set_page_config(page_title="ODD", layout="wide")
st.navigation([st.Page("pages/runs.py", title="Runs")]).run()
