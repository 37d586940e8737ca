"""The header shared by the panels of the Compare page: a title and a download button."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from odd.export.tables import csv
from odd.views.names import file_name
from pages.shared.data import OpenRun


def heading(run: OpenRun, title: str, key: str, rows: Callable[[], pd.DataFrame], of: str | None = None) -> None:
    """Draw a title and a button that saves the panel's numbers.

    Args:
        run: its id starts the file name.
        title: Markdown, with untrusted text escaped.
        key: what it shows; the end of the file name.
        rows: called on download; returns the table.
        of: the question that it is about.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.markdown(title, width="stretch")
        st.download_button(
            "CSV",
            lambda: csv(rows()),
            f"{file_name(run.run_id, of, key)}.csv",
            "text/csv",
            key=f"csv-{key}",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
            help="Save the numbers of this panel",
        )
