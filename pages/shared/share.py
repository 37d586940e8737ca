"""The question that a page shows, as a file that needs no server."""

import streamlit as st

from odd.export.offline import Contents, Question
from odd.views.links import ViewState
from odd.views.names import file_name
from pages.shared.data import OpenRun


def offer_file(run: OpenRun, view: ViewState) -> None:
    """Offer the view as an HTML file, which is made when it is asked for."""
    st.download_button(
        "HTML",
        lambda: Question(run, view, Contents()).document(),
        f"{file_name(run.run_id, 'question', view.question)}.html",
        "text/html",
        icon=":material/share:",
        on_click="ignore",
        help="This question in one file: tree, tokens and teachers, without a server. It takes some seconds.",
        key="save-html",
    )
