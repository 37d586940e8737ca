"""The app in a process, and a real browser. A missing browser is a failure, not a skip."""

import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from benchmarks.serving import serving
from tests.hostile import make_hostile

PATIENCE = 30_000  # milliseconds: continuous integration has two slow cores
WINDOW = {"width": 1440, "height": 1000}
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def cache(tmp_path_factory, finished):
    """The cache folder of the served app, with one finished run."""
    _, path = finished
    folder = tmp_path_factory.mktemp("served") / "cache"
    folder.mkdir()
    shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def url(cache):
    """Address of the app on the finished run."""
    with serving(cache.parent) as server:
        yield server.url


@pytest.fixture(scope="session")
def hostile_url(tmp_path_factory, finished):
    """Address of the app on a run with attacks in every text."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "cache").mkdir()
    make_hostile(finished[1], folder / "cache")
    with serving(folder) as server:
        yield server.url


def new_context(chromium, **options):
    allowed = ["clipboard-read", "clipboard-write"]
    context = chromium.new_context(viewport=WINDOW, reduced_motion="reduce", permissions=allowed, **options)
    context.set_default_timeout(PATIENCE)
    return context


@pytest.fixture(scope="session")
def context_of(chromium):
    """Browser contexts by reader ("dark" or another name); each loads and compiles the app's code once."""
    made = {}

    def context(who):
        if who not in made:
            made[who] = new_context(chromium, color_scheme="dark" if who == "dark" else "light")
        return made[who]

    yield context
    for context in made.values():
        context.close()


@pytest.fixture
def new_page(context_of):
    """Pages of one returning reader, which share the browser's cache."""
    pages = []

    def make(viewport=WINDOW, scheme="light"):
        page = context_of(scheme).new_page()
        page.set_viewport_size(viewport)
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.close()


@pytest.fixture
def page(new_page):
    """A page at the usual size."""
    return new_page()


@pytest.fixture
def other_page(context_of):
    """A page of another reader, in a separate browser context."""
    page = context_of("another reader").new_page()
    yield page
    page.close()


@dataclass
class Reader:
    """A page that one reader keeps open across tests, and its messages to the server.

    Attributes:
        page: the page.
        sent: messages from the browser to the server.
    """

    page: Page
    sent: list

    def go(self, address, viewport=WINDOW):
        """Show an address of the app: loaded at first, later through the history (like Back).

        An address of the same page is reached via another page, so that nothing of the previous view is left.
        """
        self.page.bring_to_front()  # pages in the background are drawn once per second
        self.page.set_viewport_size(viewport)
        if self.page.url == "about:blank":
            open_page(self.page, address)
        else:
            path = urlsplit(address).path
            if path == urlsplit(self.page.url).path:
                self._pass("/runs" if path == "/screening" else "/screening")
            self._pass(address)
        return self.page

    def _pass(self, address):
        self.page.mouse.move(0, 0)
        self.page.evaluate(
            "address => { history.pushState({}, '', address); dispatchEvent(new PopStateEvent('popstate')) }", address
        )
        # the heading shows when navigation is complete
        heading = self.page.get_by_test_id("stMain").get_by_test_id("stMarkdownContainer").first
        expect(heading).to_have_text(re.compile(f"{urlsplit(address).path[1:]}$", re.IGNORECASE))
        settle(self.page)


@pytest.fixture(scope="module")
def readers(context_of):
    """The readers of a module's tests, by their preferred colour scheme."""
    made = {}

    def reader(scheme):
        if scheme not in made:
            page, messages = context_of(scheme).new_page(), []
            page.on("websocket", lambda socket: socket.on("framesent", lambda frame: messages.append(frame)))
            made[scheme] = Reader(page, messages)
        return made[scheme]

    yield reader
    for one in made.values():
        one.page.close()


@pytest.fixture(scope="module")
def reader(readers):
    """The reader of a module's tests with the light colour scheme."""
    return readers("light")


@pytest.fixture
def sent(reader):
    """Messages from the reader's browser to the server."""
    return reader.sent


def open_page(page, address):
    """Load an address of the app, and wait until it is drawn."""
    page.goto(address)
    # `expect` would describe the whole page for its message at every try
    page.get_by_role("button", name="Copy link").wait_for()
    settle(page)
    return page


def settle(page):
    """Wait until the page is drawn: the server is done, and nothing stale is left."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-stale='true']")).to_have_count(0)


def quiet(page, messages):
    """Wait until the page has sent nothing to the server for a second; `messages` are those of `sent`."""
    count = -1
    while count != len(messages):
        count = len(messages)
        page.wait_for_timeout(1000)


def eventually(check, seconds=15):
    """Wait for a condition that Playwright itself cannot wait for."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, f"it did not come about within {seconds} s"
        time.sleep(0.1)


@contextmanager
def changing(page):
    """Wait on exit until the page has a new address and is redrawn."""
    before = page.url
    yield
    expect(page).not_to_have_url(before)
    settle(page)
