"""The dashboard: `streamlit run app.py` imports this file once for the server, and runs it for every reader."""

import asyncio
import logging
import sys
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from pages.shared.frame import load_pages, navigation

# seconds after its start when the server listens for certain; a text here would be drawn on every page
OPENED_AFTER = 0.5
SIDEBAR = 216  # pixels, until the reader drags it


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the browser at the address that the command line names, unless the server is headless."""
    if not st.get_option("server.headless"):
        url = f"http://{st.get_option('browser.serverAddress')}:{st.get_option('server.port')}/{''.join(sys.argv[1:])}"
        asyncio.get_running_loop().call_later(OPENED_AFTER, webbrowser.open, url)
    yield


if __name__ == "__main__":
    st.set_page_config(
        page_title="ODD", page_icon=":material/account_tree:", layout="wide", initial_sidebar_state=SIDEBAR
    )
    navigation().run()
else:
    # until st.navigation is called once, streamlit serves the files of `pages` by themselves: who opens a link first
    # would get a page without what is set above. Outside of a reader's session it warns that there is none
    logging.disable(logging.WARNING)
    navigation()
    load_pages()
    logging.disable(logging.NOTSET)
    app = st.App(__file__, lifespan=lifespan)
