"""The address bar holds the state: pages read the view from it and write every choice back to it."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from odd.views.links import ViewState

WRITTEN = "written-addresses"
"""Session-state key of the addresses that the browser may not have applied yet, oldest to latest."""


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def read_view() -> tuple[ViewState, list[str]]:
    """Return the view in the address and messages about invalid parts; for the start of a page."""
    address = _address()
    if st.session_state.get(WRITTEN, [None])[-1] != address:
        st.session_state[WRITTEN] = [address]
    return ViewState.from_query(address)


def write_view(view: ViewState) -> None:
    """Write the view to the address. Each new address is a step in the browser's history."""
    query, address = view.to_query(), _address()
    written = st.session_state.get(WRITTEN, [address])
    if query != address or query != written[-1]:
        st.query_params.from_dict(query)
        st.session_state[WRITTEN] = [*written, query]


def latest_view() -> ViewState:
    """Return the view after the user's last click; for callbacks, which run before the page is drawn again.

    A second click may arrive before the browser has applied the address of the first one. It must not undo the first.
    """
    address, written = _address(), st.session_state.get(WRITTEN, [])
    if address not in written[:-1]:
        st.session_state[WRITTEN] = [address]
    return ViewState.from_query(written[-1] if address in written[:-1] else address)[0]


def change_view(**changes: Any) -> None:
    """Change parts of the latest view; for callbacks."""
    write_view(latest_view().but(**changes))


def view_of(view: ViewState, run_id: str, **parts: Any) -> ViewState:
    """The view with a run opened; parts that belong to another run are reset."""
    if view.run == run_id:
        return view.but(**parts)
    lasting = {name: getattr(view, name) for name in ("colour", "decisions", "children", "visits", "outcome")}
    return ViewState(run=run_id, **lasting).but(**parts)


def bound(
    part: str, value: Any, to_view: Callable[[Any], Any] = lambda chosen: chosen, also: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Bind a widget to a part of the view: set its value, and return its `key` and `on_change` arguments.

    Args:
        part: name of the part.
        value: the widget's value to show.
        to_view: converts the widget's value to the part's value.
        also: other parts to change along with it.
    """
    key = f"view-{part}"
    st.session_state[key] = value
    return {"key": key, "on_change": lambda: change_view(**{part: to_view(st.session_state[key])}, **(also or {}))}
