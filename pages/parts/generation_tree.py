"""The panel of the generation tree."""

from typing import Any

import streamlit as st

from odd.text import markdown_escaped
from odd.views.generation_graph import display
from odd.views.generation_tree import tree_payload
from odd.views.links import MOST, ViewState
from odd.views.panels import tree_panel, why_no_tree
from odd.views.path_window import pinning
from odd.views.resolve import question_number
from pages.shared.data import OpenRun, kept
from pages.shared.mount import mount
from pages.shared.state import change_view, latest_view


def show(run: OpenRun, view: ViewState) -> None:
    """Draw the tree of the view's question, or explain why there is none."""
    with st.container(border=True):
        if view.question is None:
            st.info("This run has no questions yet.", icon=":material/info:")
            return
        number = question_number(run, view)
        data = payload(run, view, number)
        if not data["branches"]:
            st.markdown("**Generation tree**")
            st.info(markdown_escaped(why_no_tree(run, number)), icon=":material/info:")
            return
        mount("generation_tree", "generation-tree", data, select=select, fold=fold, unfold=unfold, pin=pin)


def payload(run: OpenRun, view: ViewState, number: int) -> dict[str, Any]:
    """The data that the component draws for this view."""
    convention = view.convention or "on_policy"
    tree = _tree(run, number, convention, view.unfolded, None)
    if view.node is not None and not any(view.node in branch["nodes"] for branch in tree["branches"]):
        tree = _tree(run, number, convention, view.unfolded, view.node)
    return tree_panel(run, number, view, tree)


@kept
def _tree(run: OpenRun, number: int, convention: str, unfolded: tuple[int, ...], node: int | None) -> dict[str, Any]:
    return tree_payload(run, number, convention, display(run, number, convention, unfolded, node))


def select(node: int) -> None:
    """Select the branch of a node, or none with -1; called by the component."""
    change_view(node=None if int(node) < 0 else int(node))


def fold(nodes: list[int]) -> None:
    """Collapse the tree below these nodes; called by the component."""
    _change("folded", nodes)


def unfold(nodes: list[int]) -> None:
    """Show the rarer branches of these nodes; listing a node twice shows twice as many."""
    _change("unfolded", nodes)


def _change(part: str, nodes: list[int]) -> None:
    if len(nodes) > MOST:
        st.toast(f"The link can hold at most {MOST} {part} branches. Reset some of them first.", icon=":material/link:")
        return
    change_view(**{part: tuple(int(node) for node in nodes)})


def pin(place: list[int]) -> None:
    """Show a path and pin the token at a position on it, or none with -1."""
    path, position = place
    position = None if int(position) < 0 else int(position)
    view = latest_view()
    moved = pinning(view, position) if view.path == int(path) else {"position": position, "start": None}
    change_view(path=int(path), **moved)
