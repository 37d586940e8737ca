"""First and later looks at a cache of many runs.

The cache consists of hard links to the bundled example run, so it takes no space. Each row of the table is measured in
a process that has loaded all code but has not seen the cache: without summaries of the runs (`odd.store.summaries`), as
after copying a folder from elsewhere, and with them.

    python -m benchmarks.many_runs [--runs 10000]
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from streamlit.testing.v1 import AppTest

from odd.places import DASHBOARD, the_example_run
from odd.store import list_runs
from odd.store.files import summary_path
from odd.store.summaries import summary_of
from odd.views.run_list import list_entries
from pages.shared.frame import load_pages

LINKS = 20_000
"""Hard links to one file; file systems limit them, ext4 to 65,000."""
LATER = 5
"""Number of later looks."""
Took = tuple[float, float]
"""Wall-clock and CPU seconds."""


def make_cache(cache: Path, runs: int) -> None:
    """Fill a cache with hard links to copies of the example run."""
    cache.mkdir()
    content = the_example_run().read_bytes()
    for number in range(runs):
        path = cache / f"run-{number:06d}.duckdb"
        if number % LINKS == 0:
            path.write_bytes(content)
        else:
            os.link(cache / f"run-{number - number % LINKS:06d}.duckdb", path)


def make_summaries(cache: Path) -> None:
    """Write the summaries of all runs, which are the same for all links to one file."""
    written: dict[tuple[int, int, int], bytes] = {}
    for info in list_runs(cache):
        path = summary_path(cache, info.run_id)
        if info.signature not in written:
            summary_of(info.path, info.signature)
            written[info.signature] = path.read_bytes()
        path.write_bytes(written[info.signature])


def look(folder: Path, what: str) -> tuple[Took, Took]:
    """Look at the cache of a folder for the first time in this process, and again.

    Args:
        folder: folder that contains the cache.
        what: a key of `LOOKS`.

    Returns:
        Cost of the first look, and median cost of later ones.
    """
    os.chdir(folder)
    load_pages()
    again = LOOKS[what](folder / "cache")
    first, *later = [_timed(again) for _ in range(1 + LATER)]
    return first, (median(wall for wall, _ in later), median(cpu for _, cpu in later))


def _timed(action: Callable[[], object]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def _page(name: str, **state: str) -> Callable[[], None]:
    """Return a function that draws a page, in a session whose first page was drawn without runs."""
    start = Path.cwd()
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        app = AppTest.from_file(str(DASHBOARD / "app.py"), default_timeout=600)
        app.switch_page(f"pages/{name}.py").run()
        os.chdir(start)

    def draw() -> None:
        for key, value in state.items():
            app.session_state[key] = value
        app.run()
        if app.exception:
            raise RuntimeError(app.exception[0].value)

    return draw


LOOKS: dict[str, Callable[[Path], Callable[[], object]]] = {
    "list_entries": lambda cache: lambda: list_entries(cache),
    "Runs page": lambda cache: _page("runs"),
    "Runs page, by status": lambda cache: _page("runs", **{"runs-sort": "status"}),
    "Tree page": lambda cache: _page("tree"),
    "Findings page": lambda cache: _page("findings"),
}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many_runs")
    parser.add_argument("--runs", type=int, default=10_000)
    runs, console = parser.parse_args().runs, Console()
    table = Table(title=f"A cache of {runs:,} runs: seconds (CPU seconds)")
    for name in ("", "summaries", "first look", f"median of {LATER} later looks"):
        table.add_column(name, justify="right" if "look" in name else "left")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        for kept in ("no", "yes"):
            for what in LOOKS:
                folder = Path(temporary) / kept / what.replace(" ", "-")
                folder.mkdir(parents=True)
                make_cache(folder / "cache", runs)
                if kept == "yes":
                    make_summaries(folder / "cache")
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    took = pool.submit(look, folder, what).result()
                table.add_row(what, kept, *(f"{wall:.2f} ({cpu:.2f})" for wall, cpu in took))
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    console.print(f"{date.today()}, {machine}, load {load:.1f} before")
    console.print(table)


if __name__ == "__main__":
    main()
