"""What the panels of the page Compare share: a line with title and download."""

from collections.abc import Callable

import pandas as pd
import streamlit as st

from odd.export.tables import csv
from pages.shared.data import OpenRun


def heading(run: OpenRun, title: str, name: str, rows: Callable[[], pd.DataFrame]) -> None:
    """A title in Markdown, and a button that saves the panel's numbers.

    Args:
        run: whose id the file carries.
        title: with everything untrusted in it escaped.
        name: of the file.
        rows: makes its table when it is asked for.
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
