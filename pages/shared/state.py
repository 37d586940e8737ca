"""The address bar is the state: pages read the view from it, and whatever a reader chooses is written into it."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from odd.links import ViewState


def read_view() -> tuple[ViewState, list[str]]:
    """The view that the address asks for, and what of it could not be read."""
    return ViewState.from_query({name: st.query_params.get_all(name) for name in st.query_params})


def write_view(view: ViewState) -> None:
    """Put the view into the address. A new address is a step that the browser's back button undoes."""
    query = view.to_query()
    if {name: st.query_params.get_all(name) for name in st.query_params} != query:
        st.query_params.from_dict(query)


def change_view(**changes: Any) -> None:
    """Change parts of the view; for callbacks, which run before the page is drawn again."""
    view, _ = read_view()
    write_view(view.but(**changes))


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
