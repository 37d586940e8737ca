"""Mount the components of `odd.views.components`."""

from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from odd.text import to_json
from odd.views.components import source


@cache
def _component(name: str) -> Callable[..., Any]:
    script, style = source(name)
    return component(f"odd_{name}", html='<div class="odd"></div>', js=script, css=style)


def mount(
    name: str, key: str, data: dict[str, Any], *, width: str = "stretch", **events: Callable[[Any], None]
) -> None:
    """Draw a component.

    Args:
        name: name of the component.
        key: widget key; the component keeps its state, such as the zoom, while the key stays the same.
        data: the data to draw, serializable as JSON.
        width: `stretch` or `content`.
        **events: callbacks by event, called with the value of `setTriggerValue(event, value)` before the rerun.
    """
    callbacks = {f"on_{event}_change": _caller(key, event, act) for event, act in events.items()}
    # a single string: Streamlit would serialize a nested value twice, once to detect changes
    payload = to_json(data)
    _component(name)(key=key, data={"payload": payload}, width=width, **callbacks)


def _caller(key: str, event: str, act: Callable[[Any], None]) -> Callable[[], None]:
    def call() -> None:
        # an event sent just before leaving the page arrives after the component is gone
        value = st.session_state.get(key, {}).get(event)
        if value is not None:
            act(value)

    return call
