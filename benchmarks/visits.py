"""Simulated visits to the dashboard, and their measurements."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, expect

from benchmarks.reader import DRAWN, Reader, Took, reading
from benchmarks.rows import Row, timed
from benchmarks.serving import Server, serving
from benchmarks.synthetic import LARGE, LONG, Size, question
from benchmarks.tap import Taps
from odd.method.measures import colours
from odd.store import RunReader

FIRST, CHANGE, CROWD = 1000.0, 300.0, 2
"""Targets for server times of a first render and a change, in ms, and the factor allowed with many readers."""
FRAME = 50.0
"""Target for the longest frame while a page is scrolled, in ms."""
BYTES, MEMORY = 2.0, 50.0
"""Targets for the bytes of one tree view and for the memory added by a session, in MB."""
COLOURS = tuple(colours())
SELECTS = {
    "tree": {"teacher": "teacher", "objective": "objective", "colour": "colour by"},
    "compare": {"baseline": "baseline", "objective": "objective", "colour": "colour by"},
}
"""Parts of the view changed by select boxes on a page, with their labels."""
TOKENS = {"tree": "div.lines .token", "compare": ".flow .column"}
AHEAD = 500
"""Milliseconds from telling the readers of a crowd when to click until they do."""
PACE = 3.0
"""Seconds within which each of many readers makes one change, if not simultaneously."""
CLICK_AT = "(option, time) => { setTimeout(() => option.click(), time - Date.now()) }"


@dataclass(frozen=True)
class Plan:
    """Amount of measurements.

    Attributes:
        size: size of the run.
        pages: pages opened cold and warm.
        rounds: first renders per page.
        places: number of paths on which changes are measured.
        steps: changes of each kind per path; the run has four teachers, so four steps cover all of them.
        hovered: number of tokens, and of points in the tree, that the mouse visits.
        readers: number of readers, for memory and for simultaneous requests.
        crowded: changes per reader in the crowd.
        apart: whether every part gets its own server.
        scrolled: pages that are scrolled from top to bottom.
    """

    size: Size
    pages: tuple[str, ...]
    rounds: int
    places: int
    steps: int
    hovered: int
    readers: int
    crowded: int
    apart: bool
    scrolled: tuple[str, ...] = ()


FULL = Plan(LARGE, tuple(DRAWN), rounds=3, places=6, steps=4, hovered=50, readers=10, crowded=3, apart=True)
SMALL = Plan(
    Size(3, 60, 300, 30, 600, 40),
    ("questions",),
    rounds=1,
    places=1,
    steps=1,
    hovered=8,
    readers=2,
    crowded=1,
    apart=False,
)
LONG_RESPONSES = Plan(
    LONG,
    ("questions", "tree", "rollouts", "compare"),
    rounds=3,
    places=4,
    steps=4,
    hovered=20,
    readers=2,
    crowded=1,
    apart=False,
    scrolled=("tree", "rollouts", "compare"),
)
"""Pages of one question with long responses."""
STEPS = 120
"""Frames in which a page is scrolled to its end."""
SCROLL = """async steps => {
  const long = one => one.scrollHeight > one.clientHeight + 50 && one.clientHeight > 500
  const page = [...document.querySelectorAll("*")].find(long) ?? document.scrollingElement
  const gaps = []
  let last = await new Promise(requestAnimationFrame)
  for (let step = 1; step <= steps; step++) {
    page.scrollTop = (page.scrollHeight - page.clientHeight) * step / steps
    const now = await new Promise(requestAnimationFrame)
    gaps.push(now - last)
    last = now
  }
  return gaps
}"""
"""Scrolls a page, and returns the milliseconds between frames."""


@dataclass
class Bench:
    """State shared by the parts of the measurement.

    Attributes:
        browser: the readers' browser.
        taps: taps for the readers' messages.
        file: the run file.
        plan: amount of measurements.
        fresh: cost of the first page of a freshly started server, by page.
    """

    browser: Browser
    taps: Taps
    file: Path
    plan: Plan
    fresh: dict[str, Took] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look up the paths, teachers and conventions of the run."""
        number = self.plan.size.questions - 1
        self.question = question(number).id
        with RunReader(self.file) as run:
            self.paths = run.query("paths", question=number)["path"].tolist()
            self.teachers = run.query("teachers")["teacher"].tolist()
            self.conventions = run.meta["conventions"].split(",")

    @contextmanager
    def server(self, page: str) -> Iterator[Server]:
        """Start a server and open a page as its first reader."""
        with serving(self.file.parents[1]) as server:
            with reading(self.browser, server, self.taps) as reader:
                self.fresh[page] = reader.open(page, **self.place(0))
            yield server

    def place(self, number: int) -> dict[str, object]:
        """Return the view of a reader; other numbers use other paths, conventions and colours."""
        return {
            "run": self.file.stem,
            "question": self.question,
            "path": self.paths[number % len(self.paths)],
            "convention": self.conventions[number % len(self.conventions)],
            "colour": COLOURS[number % len(COLOURS)],
        }

    def first_renders(self, server: Server) -> list[Row]:
        """Measure pages that the server has not cached, and again for the next reader."""
        rows = []
        for page in self.plan.pages:
            cold, warm = [], []
            for number in range(self.plan.rounds):
                os.utime(self.file)
                for took in (cold, warm):
                    with reading(self.browser, server, self.taps) as reader:
                        took.append(reader.open(page, **self.place(number)))
            title = f"first render of {page.capitalize()}"
            rows += [timed(f"{title}, cold", cold, FIRST, 0.5), timed(f"{title}, warm", warm, FIRST, 0.5)]
        return rows

    def changes(self, server: Server) -> list[Row]:
        """Measure changes of teacher, objective, colour and token on the pages of a question."""
        rows = []
        for page, selects in SELECTS.items():
            took: dict[str, list[Took]] = {part: [] for part in (*selects, "token")}
            with reading(self.browser, server, self.taps) as reader:
                for number in range(self.plan.places):
                    reader.open(page, **self.place(number))
                    self._walk(reader, page, took)
            rows += [timed(f"{page.capitalize()}: {part} changed", found, CHANGE) for part, found in took.items()]
        return rows

    def _walk(self, reader: Reader, page: str, took: dict[str, list[Took]]) -> None:
        tokens = reader.page.locator(TOKENS[page])
        for step in range(self.plan.steps):
            for part, label in SELECTS[page].items():
                took[part].append(reader.choose_next(label))
            decisions = reader.page.locator(f"{TOKENS[page]}.decision")
            found = decisions if decisions.count() >= self.plan.steps else tokens
            token = found.nth(step * found.count() // self.plan.steps)
            took["token"].append(reader.take(lambda token=token: token.dispatch_event("click")))

    def tree_view(self, server: Server) -> list[Row]:
        """Measure the bytes of a view of the large tree, and the messages sent while the mouse moves over it."""
        sizes, files, asked = [], [], []
        for number in range(self.plan.rounds):
            with reading(self.browser, server, self.taps) as reader:
                sizes.append(reader.open("tree", **self.place(number)).size / 1e6)
                reader.rest()
                files.append(reader.tap.fetched / 1e6)
                if number == 0:
                    asked.append(float(self._hover(reader)))
        return [
            Row("bytes of one tree view", "MB", sizes, BYTES, 1.0),
            Row("static files of the Tree page", "MB", files, None),
            Row("messages sent while hovering", "", asked, 0, 1.0, count=2 * self.plan.hovered),
        ]

    def _hover(self, reader: Reader) -> int:
        """Count messages and requests to the server while the mouse visits tokens of the path and the tree."""
        reader.mark()
        requests, tokens = reader.tap.requests, reader.page.locator(TOKENS["tree"])
        for number in range(self.plan.hovered):
            tokens.nth(number * tokens.count() // self.plan.hovered).hover()
            expect(reader.page.locator(".card")).to_be_visible()
        tree = reader.page.locator("svg.tree")
        tree.scroll_into_view_if_needed()
        box = tree.bounding_box()
        assert box is not None, "the tree is not visible"
        for share in np.linspace(0.02, 0.98, self.plan.hovered):
            height = (7 * share) % 1
            reader.page.mouse.move(box["x"] + share * box["width"], box["y"] + height * box["height"], steps=3)
        reader.rest()
        return sum(message.sent for message in reader.since()) + reader.tap.requests - requests

    def scrolling(self, server: Server) -> list[Row]:
        """Measure the frames while pages are scrolled."""
        rows = []
        for page in self.plan.scrolled:
            with reading(self.browser, server, self.taps) as reader:
                reader.open(page, **self.place(0))
                reader.rest()
                gaps = reader.page.evaluate(SCROLL, STEPS)
            rows.append(Row(f"frames while scrolling {page.capitalize()}", "ms", gaps, FRAME, 1.0))
        return rows

    def memory(self, server: Server) -> list[Row]:
        """Measure the memory added by open sessions, each on its own path and through all pages."""
        held = []
        with ExitStack() as stack:
            for number in range(self.plan.readers):
                reader = stack.enter_context(reading(self.browser, server, self.taps))
                reader.open("tree", **self._own(number))
                for page in self.plan.pages:
                    if page != "tree":
                        reader.turn_to(page)
                held.append(server.memory)
        growth = (held[-1] - held[0]) / (len(held) - 1) / 1e6
        return [
            Row("memory of the server after the first session", "MB", [held[0] / 1e6], None),
            Row("memory added by each further session", "MB", [growth], MEMORY, count=len(held) - 1),
        ]

    def _own(self, number: int) -> dict[str, object]:
        return self.place(number) | {"teacher": self.teachers[number % len(self.teachers)]}

    def crowd(self, server: Server) -> list[Row]:
        """Measure many readers who open the tree at once, and then change the teacher, spread out or simultaneously."""
        with ExitStack() as stack:
            readers = [stack.enter_context(reading(self.browser, server, self.taps)) for _ in range(self.plan.readers)]
            with self._in_one_instant(readers):
                for number, reader in enumerate(readers):
                    reader.begin("tree", **self._own(number))
            first = [reader.finish("tree") for reader in readers]
            apart, together = self._crowd_changes(readers, apart=True), self._crowd_changes(readers, apart=False)
        many = f"{len(readers)} readers at once"
        return [
            timed(f"{many}: first render of Tree, simultaneously", first, CROWD * FIRST, alone=False),
            timed(f"{many}: teacher changed by each every {PACE:.0f} s", apart, CROWD * CHANGE, alone=False),
            timed(f"{many}: teacher changed by all, simultaneously", together, CROWD * CHANGE, alone=False),
        ]

    @contextmanager
    def _in_one_instant(self, readers: list[Reader]) -> Iterator[None]:
        """Let the readers' requests reach the server simultaneously, however long their browser takes."""
        with self.taps.shut([reader.tap for reader in readers]):
            yield
            for reader in readers:
                reader.until(lambda tap=reader.tap: tap.held)

    def _crowd_changes(self, readers: list[Reader], apart: bool) -> list[Took]:
        """Let every reader choose another teacher several times, simultaneously or at random moments."""
        changed, rng = [], np.random.default_rng(0)
        for _ in range(self.plan.crowded):
            options = [reader.next_option("teacher") for reader in readers]
            moments = 1000 * (time.time() + rng.uniform(0, PACE if apart else 0, len(readers))) + AHEAD
            with nullcontext() if apart else self._in_one_instant(readers):
                for reader, option, moment in zip(readers, options, moments.tolist(), strict=True):
                    reader.mark()
                    option.evaluate(CLICK_AT, moment)
            changed += [reader.finish() for reader in readers]
        return changed

    def measure(self) -> list[Row]:
        """Run all parts, each on its own server if the plan says so."""
        parts = {
            "runs": self.first_renders,
            "compare": self.changes,
            "tree": self.tree_view,
            "findings": self.memory,
            "questions": self.crowd,
        }
        rows: list[Row] = []
        if self.plan.apart:
            for page, part in parts.items():
                with self.server(page) as server:
                    rows += part(server)
        else:
            with self.server("tree") as server:
                rows = [row for part in (*parts.values(), self.scrolling) for row in part(server)]
        slowest = max(self.fresh, key=lambda page: self.fresh[page].server)
        title = f"first page of a new server (slowest: {slowest.capitalize()})"
        return [timed(title, list(self.fresh.values()), FIRST, 1.0), *rows]
