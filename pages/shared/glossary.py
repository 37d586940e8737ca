"""The help pop-up: every quantity that the dashboard shows, with its formula in a sentence."""

import streamlit as st


def show_help() -> None:
    """A button that opens the explanations."""
    with st.popover("What is this?", icon=":material/help:"):
        st.markdown("Explanations")
