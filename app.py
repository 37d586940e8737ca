"""The dashboard: `streamlit run app.py` imports this file once for the server, and runs it for every reader."""

import asyncio
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from pages.shared.frame import load_pages, navigation

# seconds after its start when the server listens for certain; a text here would be drawn on every page
OPENED_AFTER = 0.5


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the browser, unless the server is headless."""
    if not st.get_option("server.headless"):
        url = f"http://{st.get_option('browser.serverAddress')}:{st.get_option('server.port')}"
        asyncio.get_running_loop().call_later(OPENED_AFTER, webbrowser.open, url)
    yield


if __name__ == "__main__":
    st.set_page_config(page_title="ODD", page_icon=":material/account_tree:", layout="wide")
    navigation().run()
else:
    # streamlit would learn this from the first call of st.navigation: until somebody has opened the address / it would
    # serve the files of `pages` by themselves, and who opens a link would get a page without what is set above
    PagesManager.uses_pages_directory = False
    load_pages()
    app = st.App(__file__, lifespan=lifespan)
