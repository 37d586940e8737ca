"""The servers of a run's student in the form that starts it, with a button that tries them."""

from typing import Any

import streamlit as st

from odd.config import ModelConfig, parse_config
from odd.errors import OddError
from odd.pipeline.jobs import check_servers
from odd.text import markdown_escaped, visible_text
from pages.shared.data import CACHE

ICONS = {"ok": ":green[:material/check:]", "note": ":orange[:material/info:]", "error": ":red[:material/error:]"}


def servers(student: dict[str, Any], key: str) -> dict[str, Any]:
    """Draw the fields and return the settings that they give; none if the student runs on this machine.

    There is no field for the variable with the API key: who may start runs could have any variable sent anywhere.
    """
    with st.expander("Sample the student on servers (vLLM, SGLang)"):
        left, right = st.columns([2, 1], vertical_alignment="bottom")
        text = left.text_input(
            "servers", placeholder="http://gpu1:8000 http://gpu2:8000", max_chars=2000, key=f"{key}-servers"
        )
        model = right.text_input("name there", placeholder="the only one", max_chars=200, key=f"{key}-served")
        if not text.split():
            return {}
        given = {"server": text.replace(",", " ").split(), "server_model": model or None, "scorer": "transformers"}
        if st.button(
            "Try", icon=":material/cable:", key=f"{key}-try", help="Asks the servers what they are and can do"
        ):
            _try(student | given)
        return given


def _try(student: dict[str, Any]) -> None:
    try:
        asked: ModelConfig = parse_config({"student": student}).student
        with st.spinner("Asking the servers"):
            for address, check, status, text in check_servers(asked, CACHE):
                line = f"**{markdown_escaped(check)}** {markdown_escaped(visible_text(f'{address}: {text}'))}"
                st.markdown(f"{ICONS[status]} {line}")
    except OddError as error:
        st.error(markdown_escaped(str(error)), icon=":material/error:")
