"""Shared by the parts of the Runs page: the listing, links to a run, and the open dialog."""

from collections.abc import Callable
from typing import Any, NoReturn

import streamlit as st

from odd.errors import OddError
from odd.pipeline.jobs import continue_run, resume
from odd.text import markdown_escaped
from odd.views.links import ViewState
from odd.views.run_list import Entry, Listing, list_entries
from pages.shared.data import CACHE, open_run
from pages.shared.frame import header, unknown_page
from pages.shared.state import read_view, write_view

DIALOG = "runs-dialog"
ERROR = "runs-error"


def open_runs() -> tuple[ViewState, Listing]:
    """Read the view, list the cache and draw the frame; an empty cache or an unknown run does not stop the page."""
    view, problems = read_view()
    write_view(view)
    header("Runs", view)
    if asked := unknown_page(st.context.url or ""):
        st.warning(
            markdown_escaped(f"There is no page {asked!r}: this is the list of runs."), icon=":material/link_off:"
        )
    for problem in problems:
        st.warning(markdown_escaped(problem), icon=":material/link_off:")
    if ERROR in st.session_state:
        st.error(markdown_escaped(st.session_state.pop(ERROR)), icon=":material/error:")
    listing = list_entries(CACHE)
    if view.run is not None and view.run not in {entry.run_id for entry in listing.runs}:
        st.warning(
            markdown_escaped(f"There is no run {view.run!r} here. Ask for its file and upload it."),
            icon=":material/link_off:",
        )
    return view, listing


def ask(kind: str, run_id: str | None = None) -> None:
    """Open a dialog, which stays open across reruns until it is closed; for callbacks."""
    st.session_state[DIALOG] = (kind, run_id)


def close_dialog() -> None:
    """Close the open dialog."""
    st.session_state.pop(DIALOG, None)


def attempt(action: Callable[..., object], *arguments: Any) -> None:
    """Run an action and show its error at the top of the page; for callbacks."""
    try:
        action(*arguments)
    except (OddError, OSError) as error:
        st.session_state[ERROR] = str(error)


def restart(entry: Entry) -> None:
    """Restart the run's job, or continue from the configuration in its file if it has no job.

    Raises:
        OddError: there is neither, or the cache cannot be written.
    """
    if entry.job is not None:
        resume(entry.job, CACHE)
    elif entry.info is not None:
        continue_run(CACHE, open_run(entry.info.path).meta)
    else:
        raise OddError(f"run {entry.run_id} was not started here: resume it with the command that started it")


def done(message: str) -> NoReturn:
    """Close the dialog, show a message, and rerun the page."""
    close_dialog()
    st.toast(markdown_escaped(message), icon=":material/check:")
    st.rerun()


def entry_of(listing: Listing, run_id: str | None) -> Entry | None:
    """The entry of a run; None if it is not listed."""
    return next((entry for entry in listing.runs if entry.run_id == run_id), None)
