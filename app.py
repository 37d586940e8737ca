"""The dashboard. `streamlit run app.py` imports this file once for the server and runs it for every session."""

import asyncio
import logging
import sys
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from odd.access import log_changes
from pages.shared.failures import show_failure
from pages.shared.frame import load_pages, navigation
from pages.shared.headers import SecurityHeaders

# seconds after the start by which the server is listening; a docstring here would be drawn on every page
OPENED_AFTER = 0.5
ICON = Path(__file__).parent / "pages/shared/icon.svg"  # a Material icon would be fetched from another host
SIDEBAR = 216  # initial width in pixels; users can drag it


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the browser at the address given on the command line, unless the server is headless."""
    if not st.get_option("server.headless"):
        url = f"http://{st.get_option('browser.serverAddress')}:{st.get_option('server.port')}/{''.join(sys.argv[1:])}"
        asyncio.get_running_loop().call_later(OPENED_AFTER, webbrowser.open, url)
    yield


if __name__ == "__main__":
    st.set_page_config(page_title="ODD", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR)
    navigation().run()
else:
    # until the first call of st.navigation, Streamlit serves each file in `pages` on its own, and the first visitor to
    # open a link would get a page without the settings above. Calls outside a session log a warning, silenced here
    logging.disable(logging.WARNING)
    navigation()
    load_pages()
    log_changes()
    logging.disable(logging.NOTSET)
    app = st.App(__file__, lifespan=lifespan, middleware=[Middleware(SecurityHeaders)], on_script_error=show_failure)
