"""The address bar is the state: pages read the view from it, and whatever a reader chooses is written into it."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from odd.views.links import ViewState

WRITTEN = "written-addresses"
"""Key of the addresses that the browser may not have heard of yet, from the one it was at to the latest one."""


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def read_view() -> tuple[ViewState, list[str]]:
    """The view that the address asks for, and what of it could not be read; for the start of a page."""
    address = _address()
    if st.session_state.get(WRITTEN, [None])[-1] != address:
        st.session_state[WRITTEN] = [address]
    return ViewState.from_query(address)


def write_view(view: ViewState) -> None:
    """Put the view into the address. A new address is a step that the browser's back button undoes."""
    query, address = view.to_query(), _address()
    written = st.session_state.get(WRITTEN, [address])
    if query != address or query != written[-1]:
        st.query_params.from_dict(query)
        st.session_state[WRITTEN] = [*written, query]


def latest_view() -> ViewState:
    """The view that the reader's last click led to; for callbacks, which run before the page is drawn again.

    A second click may be sent before the browser hears of the address that the first one led to, and before the page is
    drawn for it. It must not undo the first.
    """
    address, written = _address(), st.session_state.get(WRITTEN, [])
    if address not in written[:-1]:
        st.session_state[WRITTEN] = [address]
    return ViewState.from_query(written[-1] if address in written[:-1] else address)[0]


def change_view(**changes: Any) -> None:
    """Change parts of the latest view; for callbacks."""
    write_view(latest_view().but(**changes))


def bound(
    part: str, value: Any, to_view: Callable[[Any], Any] = lambda chosen: chosen, also: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Arguments that tie a widget to a part of the view: key and callback; sets its value from the address.

    Args:
        part: name of the part.
        value: what the widget is to show, in the widget's own terms.
        to_view: turns what the widget returns into the value of the part.
        also: other parts that change with it.
    """
    key = f"view-{part}"
    st.session_state[key] = value
    return {"key": key, "on_change": lambda: change_view(**{part: to_view(st.session_state[key])}, **(also or {}))}
