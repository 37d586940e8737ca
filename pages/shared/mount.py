"""Mounts the components of `odd.views.components`."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

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
        name: of the component.
        key: of this place on the page; the component keeps its zoom and the like as long as the key stays.
        data: what it draws.
        width: stretch, or content.
        **events: what to do, before the page is drawn again, with the value of `setTriggerValue(event, value)`.
    """
    callbacks = {f"on_{event}_change": _caller(key, event, act) for event, act in events.items()}
    # as one text: of a nested value Streamlit would write the JSON twice, once to tell whether it is another value
    payload = json.dumps(data, separators=(",", ":"))
    _component(name)(key=key, data={"payload": payload}, width=width, **callbacks)


def _caller(key: str, event: str, act: Callable[[Any], None]) -> Callable[[], None]:
    def call() -> None:
        # what is said just before the page is left comes when the component is gone
        value = st.session_state.get(key, {}).get(event)
        if value is not None:
            act(value)

    return call
