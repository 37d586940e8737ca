"""The text panel of the Tree page: a path with its staves."""

from collections.abc import Sequence

import streamlit as st

from odd.views.links import ViewState
from odd.views.panels import path_notices, path_panel
from odd.views.scores import Row
from odd.views.token_path import SHOWN, measure, path_cards, path_rows
from pages.parts.pinned_token import show_rollouts
from pages.shared.data import OpenRun, kept
from pages.shared.mount import mount
from pages.shared.state import change_view


def ask(run: OpenRun, view: ViewState, number: int) -> None:
    """Start the panel's queries, which run while other panels are drawn."""
    if view.path is not None:
        run.ask("path_rows", **measure(number, view))
        run.ask("path_children", most=SHOWN, **measure(number, view))


def pin(position: int) -> None:
    """Pin the token at a position, or unpin with -1; called by the component."""
    change_view(position=None if position < 0 else position)


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the panel of question `number`."""
    with st.container(border=True):
        if view.path is None:
            show_without_path(run, number)
            return
        rows = path_rows(run, number, view)
        for notice in path_notices(run, number, view, rows):
            st.info(notice, icon=":material/info:")
        mount("token_path", "token-path", payload(run, view, number, rows), position=pin)


def payload(run: OpenRun, view: ViewState, number: int, rows: Sequence[Row]) -> dict:
    """The data that the component draws for this view, given the rows of `path_rows`."""
    cards = _cards(run, number, view.path, view.teacher, view.objective, view.convention)
    return path_panel(run, number, view, rows, cards)


@kept
def _cards(
    run: OpenRun, number: int, path: int | None, teacher: str | None, objective: str | None, convention: str | None
) -> dict:
    view = ViewState(path=path, teacher=teacher, objective=objective, convention=convention)
    return path_cards(run, number, view)


def show_without_path(run: OpenRun, number: int) -> None:
    """Show some rollouts of a question without paths; the card above explains why it has none."""
    st.markdown("**Path**")
    st.info("This question has no path.", icon=":material/info:")
    show_rollouts(run, number)
