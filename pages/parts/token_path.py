"""The text panel of the Tree page: a path with its staves."""

from collections.abc import Sequence
from typing import get_args

import streamlit as st

from odd.views.links import Part, ViewState
from odd.views.panels import path_notices, path_panel
from odd.views.path_window import Extent, path_extent, pinning
from odd.views.scores import Row
from odd.views.token_path import SHOWN, measure, path_cards, path_rows, within
from odd.views.truncation import truncation_notice
from pages.parts.pinned_token import show_rollouts
from pages.shared.data import OpenRun, kept
from pages.shared.mount import mount
from pages.shared.state import change_view, latest_view


def ask(run: OpenRun, view: ViewState, number: int) -> None:
    """Start the panel's queries, which run while other panels are drawn."""
    if view.path is not None:
        run.ask("path_texts", question=number, path=view.path)
        extent = extent_of(run, number, view.path)
        if extent.windowed(view):
            run.ask("path_overview", teacher=view.teacher, **measure(number, view))
        window = extent.window(view)
        run.ask("path_rows", **within(number, view, window))
        run.ask("path_children", most=SHOWN, **within(number, view, window))


extent_of = kept(path_extent)


def pin(position: int) -> None:
    """Pin the token at a position, or unpin with -1; called by the component."""
    change_view(**pinning(latest_view(), None if position < 0 else position))


def move(start: int) -> None:
    """Show the window from a position on; called by the component."""
    change_view(start=max(0, int(start)))


def choose_part(part: str) -> None:
    """Show a part of the path from its start; called by the component."""
    if part in get_args(Part):
        change_view(part=part, start=None, position=None)


def show(run: OpenRun, view: ViewState, number: int) -> None:
    """Draw the panel of question `number`."""
    with st.container(border=True, key="path-panel"):
        if view.path is None:
            show_without_path(run, number)
            return
        extent = extent_of(run, number, view.path)
        rows = path_rows(run, number, view, extent.window(view))
        data = payload(run, view, number, rows, extent)
        decisions = [row[0] for row in data["overview"]["decisions"]["rows"]]
        if said := truncation_notice(run, number, data["overview"]["truncated"], decisions):
            st.warning(said, icon=":material/content_cut:")
        for notice in path_notices(run, number, view, bool(decisions)):
            st.info(notice, icon=":material/info:")
        mount("token_path", "token-path", data, position=pin, start=move, part=choose_part)


def payload(run: OpenRun, view: ViewState, number: int, rows: Sequence[Row], extent: Extent) -> dict:
    """The data that the component draws for this view, given the rows of `path_rows` in its window."""
    shown = ViewState(path=view.path, teacher=view.teacher, objective=view.objective, convention=view.convention)
    return path_panel(run, number, view, rows, _cards(run, number, shown, extent.window(view)), extent)


_cards = kept(path_cards)


def show_without_path(run: OpenRun, number: int) -> None:
    """Show some rollouts of a question without paths; the card above explains why it has none."""
    st.markdown("**Path**")
    st.info("This question has no path.", icon=":material/info:")
    show_rollouts(run, number)
