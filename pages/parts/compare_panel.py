"""The header shared by the panels of the Compare page: a title and a download button."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from odd.export.tables import csv
from pages.shared.data import OpenRun


def heading(run: OpenRun, title: str, name: str, rows: Callable[[], pd.DataFrame]) -> None:
    """Draw a title and a button that saves the panel's numbers.

    Args:
        run: its id starts the file name.
        title: Markdown, with untrusted text escaped.
        name: the rest of the file name.
        rows: called on download; returns the table.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        st.markdown(title, width="stretch")
        st.download_button(
            "CSV",
            lambda: csv(rows()),
            f"{run.run_id}-{name}.csv",
            "text/csv",
            key=f"csv-{name}",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
            help="Save the numbers of this panel",
        )
