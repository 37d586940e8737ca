"""What the dashboard's server and the wire bear when a large run is shown to a real browser.

Server time goes from the message with which the browser asks for a page to the one that says that its script has run to
its end, both as they pass on the wire (`benchmarks.tap`); browser and server share the machine. "Cold" is a page of
which the server holds nothing, as the run file has a new time and all that was kept of it is void; its code is loaded.
"Warm" is the same page for the next reader. The first page of a server that has only just been started, for which code
is loaded too, has a line of its own.

    python -m benchmarks.dashboard [FOLDER] [--small]

The run of `benchmarks.synthetic` is looked for in FOLDER/cache and made there where it is missing, which takes a while.
"""

import argparse
import os
import platform
import sys
import tempfile
from datetime import date
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row
from benchmarks.serving import chromium_path, patient_chromium
from benchmarks.synthetic import Size, make_run
from benchmarks.tap import opened
from benchmarks.visits import FULL, SMALL, Bench
from odd.store import list_runs

NAMES = {0.5: "median", 0.95: "95%", 1.0: "largest"}


def run_file(folder: Path, size: Size, console: Console) -> Path:
    """The run in a folder, made if it is not there."""
    found = [run for run in list_runs(folder / "cache") if run.run_id.startswith("synthetic-")]
    if found and found[0].problem:
        sys.exit(f"{found[0].path}: {found[0].problem}: delete it, and it is made anew")
    if found:
        return found[0].path
    console.print(f"making a run of {size.questions} questions in {folder}")
    return make_run(folder / "cache", size, console.print)


def cells(row: Row) -> list[str]:
    """What the table shows of a line; the figure that its limit is for is marked."""
    digits = ",.2f" if row.unit == "MB" else ",.0f"
    many = len(row.values) > 1
    shown = {share: format(row.quantile(share), digits) if many or share == 0.5 else "" for share in NAMES}
    if row.limit is not None:
        judged = row.judged if many else 0.5
        shown[judged] = f"[bold]{shown[judged]}[/bold]"
    aside = [f"{median(values):,.0f}" if values else "" for values in (row.busy, row.whole)]
    limit = "" if row.limit is None else f"{row.limit:,.0f}"
    kept = {None: "", True: "yes", False: "[red]no[/red]"}[row.kept]
    return [row.what, row.unit, *shown.values(), str(row.count or len(row.values)), limit, kept, *aside]


def print_table(rows: list[Row], console: Console) -> None:
    """Print what was measured."""
    table = Table(title="The dashboard: server times, bytes and memory; in bold what the limit is for")
    table.add_column("measured")
    table.add_column("unit")
    for name in (*NAMES.values(), "n", "limit"):
        table.add_column(name, justify="right")
    table.add_column("kept")
    table.add_column("server CPU, ms", justify="right")
    table.add_column("drawn after, ms", justify="right")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard")
    parser.add_argument("folder", nargs="?", type=Path, help="where the synthetic run is, or is made")
    parser.add_argument("--small", action="store_true", help="a quick look at a small run, made in FOLDER/small")
    chosen = parser.parse_args()
    try:
        chromium_path()
    except RuntimeError as error:
        sys.exit(str(error))
    console, plan = Console(), SMALL if chosen.small else FULL
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        file = run_file((folder / "small" if chosen.small else folder).resolve(), plan.size, console)
        with patient_chromium() as browser, opened() as taps:
            rows = Bench(browser, taps, file, plan).measure()
        machine = (
            f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}, load {load:.1f} before"
        )
        console.print(f"{date.today()}, {machine}; a run of {file.stat().st_size / 1e6:,.0f} MB")
    print_table(rows, console)


if __name__ == "__main__":
    main()
