"""What the dashboard shows when something fails: one line about the run file or the error, and links to other runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import streamlit as st
from streamlit.errors import FragmentHandledException

from odd.errors import OddError
from odd.store import list_runs
from odd.text import markdown_escaped
from odd.views.links import ViewState
from pages.shared.data import CACHE, named_run
from pages.shared.state import read_view

LOG = logging.getLogger(__name__)
COMPARED = 1000
"""Newest runs among which one with a similar name is searched; comparing two names takes about 0.1 ms."""
LONGEST = 200
"""Characters of an error message to show."""


@contextmanager
def explained(page: str) -> Iterator[None]:
    """Show an error of a page in one line, with links to other runs, and stop; the traceback goes to the server's log.

    Args:
        page: path of the page, for the links.
    """
    try:
        yield
    except FragmentHandledException:  # shown already
        raise
    except Exception as error:
        LOG.exception("%s could not be shown", page)
        show_failure(error)
        offer_others(read_view()[0], page)
        st.stop()


def offer_others(view: ViewState, page: str) -> None:
    """Draw links to other runs of the cache on a page, those with similar names first, and to the list of runs."""
    names = [info.run_id for info in list_runs(CACHE)[:COMPARED] if info.run_id != view.run]
    for near in get_close_matches(view.run or "", names, n=3, cutoff=0.0):
        st.page_link(page, label=f"Open {near} instead", query_params=view.but(run=near).to_query())
    st.page_link("pages/runs.py", label="All runs", icon=":material/folder_open:")


def show_failure(error: Exception) -> bool:
    """Show an error in one line; Streamlit calls this for callbacks and fragments, too.

    Returns:
        True: Streamlit does not show the traceback, which it has written to the log of the server.
    """
    view, _ = read_view()
    st.error(markdown_escaped(_what_failed(error, view)), icon=":material/error:")
    return True


def _what_failed(error: Exception, view: ViewState) -> str:
    """Return why something failed: a message for users, else a run with impossible content, else the error itself."""
    if isinstance(error, OddError):
        return str(error)
    for run_id in _shown_runs(view):
        try:
            named_run(run_id).check()
        except OddError as refusal:
            return str(refusal)
    said = (str(error).splitlines() or [""])[0][:LONGEST]
    return (
        f"This could not be shown ({type(error).__name__}: {said}). The run files that it shows pass all checks, so "
        "this is probably a bug in ODD: please report it with the last lines of the log of the server."
    )


def _shown_runs(view: ViewState) -> list[str]:
    """Return the runs of the address, or the newest one if it names none."""
    own = [view.run] if view.run is not None else [info.run_id for info in list_runs(CACHE)[:1]]
    return [*own, *view.runs]
