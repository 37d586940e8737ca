"""A reader of the dashboard: a browser context that connects to the server through its own tap."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Browser, Locator, expect

from benchmarks.serving import Server
from benchmarks.tap import Message, Taps, server_time

PATIENCE = 120.0
"""Timeout for drawing a page, in seconds."""
QUIET = 1.0
"""Seconds without a message after which a page is idle."""
POLL = 10
"""Milliseconds between checks of a condition that the browser cannot wait for."""
SETTINGS = "View settings"
"""The button of the Tree page behind which the choices are that change less often."""

DRAWN = {
    "runs": ("[class*='st-key-said-']",),
    "questions": (".odd a.open",),
    "tree": ("svg.tree .branch", "div.lines .token", "svg.staff"),
    "rollouts": (".odd a.open",),
    "compare": (".flow .column", ".main-svg"),
    "findings": (".main-svg",),
}
"""Selectors of the elements that each page draws last."""


@dataclass(frozen=True)
class Took:
    """Cost of a step.

    Attributes:
        server: milliseconds during which the browser waited for the server.
        busy: milliseconds of server CPU time, including concurrent work for other readers.
        whole: milliseconds from the step until the browser had drawn the result.
        size: bytes of the messages from the server.
    """

    server: float
    busy: float
    whole: float
    size: int


class Reader:
    """A page in its own browser context."""

    def __init__(self, browser: Browser, server: Server, taps: Taps) -> None:
        """Open an empty page."""
        self.server, self.tap = server, taps.tap(urlsplit(server.url).port or 80)
        self.context = browser.new_context(viewport={"width": 1440, "height": 1000})
        self.context.set_default_timeout(PATIENCE * 1000)
        self.page = self.context.new_page()
        self.mark()

    def open(self, name: str, **query: object) -> Took:
        """Follow a link to a page."""
        self.begin(name, **query)
        return self.finish(name)

    def begin(self, name: str, **query: object) -> None:
        """Follow a link, waiting only for the first response."""
        self.mark()
        self.page.goto(f"{self.tap.url}/{'' if name == 'runs' else name}?{urlencode(query)}", wait_until="commit")

    def turn_to(self, name: str) -> Took:
        """Go to another page by its sidebar link."""
        self.mark()
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=name.capitalize(), exact=True).click()
        return self.finish(name)

    def take(self, act: Callable[[], object]) -> Took:
        """Perform an action that makes the server rerun the page, and wait for the result."""
        self.mark()
        act()
        return self.finish()

    def mark(self) -> None:
        """Start a new step."""
        self._mark, self._busy, self._started = len(self.tap.messages), self.server.seconds, time.perf_counter()

    def since(self) -> list[Message]:
        """Messages of this step."""
        return self.tap.messages[self._mark :]

    def finish(self, name: str = "") -> Took:
        """Wait until the server has answered and the browser has drawn the result of this step."""
        app = self.page.get_by_test_id("stApp")
        while True:
            self.until(lambda: server_time(self.since()) is not None)
            expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=PATIENCE * 1000)
            for selector in DRAWN.get(name, ()):
                expect(self.page.locator(selector).first).to_be_visible(timeout=PATIENCE * 1000)
            expect(self.page.locator("[data-stale='true']")).to_have_count(0, timeout=PATIENCE * 1000)
            whole, messages = time.perf_counter() - self._started, self.since()
            server = server_time(messages)
            if server is not None:  # otherwise drawing triggered another request
                size = sum(message.size for message in messages if not message.sent)
                return Took(1000 * server, 1000 * (self.server.seconds - self._busy), 1000 * whole, size)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for a condition.

        Raises:
            RuntimeError: the condition did not hold in time.
        """
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(f"the page {self.page.url} was not drawn within {PATIENCE:.0f} s")
            self.page.wait_for_timeout(POLL)

    def rest(self) -> None:
        """Wait until there has been no traffic with the server for a while."""
        last: tuple[int, ...] = ()
        since = time.monotonic()

        def quiet() -> bool:
            nonlocal last, since
            now = len(self.tap.messages), self.tap.requests, self.tap.fetched
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > QUIET

        self.until(quiet)

    def next_option(self, label: str) -> Locator:
        """Open the list of a select box and return the option after the chosen one."""
        box = self.page.get_by_label(label, exact=True).first
        chosen = box.input_value()
        box.click()
        options = self.page.get_by_role("option")
        options.first.wait_for()
        names = options.all_inner_texts()
        return options.nth((names.index(chosen) + 1) % len(names))

    def choose_next(self, label: str) -> Took:
        """Choose the option after the chosen one of a select box, which may be behind the view settings."""
        settings = self.page.get_by_role("button", name=SETTINGS)
        hidden = not self.page.get_by_label(label, exact=True).first.is_visible()
        if hidden:
            settings.click()
        option = self.next_option(label)
        took = self.take(option.click)
        if hidden:
            settings.click()
        return took

    def close(self) -> None:
        """Close the browser context."""
        self.context.close()


@contextmanager
def reading(browser: Browser, server: Server, taps: Taps) -> Iterator[Reader]:
    """A reader that is closed on exit."""
    reader = Reader(browser, server, taps)
    try:
        yield reader
    finally:
        reader.close()
