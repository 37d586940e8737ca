"""Server times, bytes and memory of the dashboard, for a large run in a real browser.

Server time is measured on the wire (`benchmarks.tap`), from the browser's request for a page to the message that its
script has finished; browser and server share the machine. "Cold" is a page for which the server has cached nothing,
because the run file's time has changed; the code is already loaded. "Warm" is the same page for the next reader. The
first page of a freshly started server, which also loads code, has its own row.

    python -m benchmarks.dashboard [FOLDER] [--small | --long]

The run of `benchmarks.synthetic` is read from FOLDER/cache, or generated there if it is missing, which takes a while.
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
from benchmarks.serving import chromium, chromium_path, patient_chromium
from benchmarks.synthetic import Size, make_run
from benchmarks.tap import opened
from benchmarks.visits import FULL, LONG_RESPONSES, SMALL, Bench
from odd.store import list_runs

NAMES = {0.5: "median", 0.95: "95%", 1.0: "largest"}


def run_file(folder: Path, size: Size, console: Console) -> Path:
    """Return the run in a folder; generate it if it is missing."""
    found = [run for run in list_runs(folder / "cache") if run.run_id.startswith("synthetic-")]
    if found and found[0].problem:
        sys.exit(f"{found[0].path}: {found[0].problem}: delete it to generate it again")
    if found:
        return found[0].path
    console.print(f"generating a run of {size.questions} questions in {folder}")
    return make_run(folder / "cache", size, console.print)


def cells(row: Row) -> list[str]:
    """Return the table cells of a row; the value compared with the limit is bold."""
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
    """Print the rows as a table."""
    table = Table(title="The dashboard: server times, bytes and memory; the value compared with the limit is bold")
    table.add_column("measured")
    table.add_column("unit")
    for name in (*NAMES.values(), "n", "limit"):
        table.add_column(name, justify="right")
    table.add_column("within")
    table.add_column("server CPU, ms", justify="right")
    table.add_column("drawn after, ms", justify="right")
    for row in rows:
        table.add_row(*cells(row))
    console.print(table)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dashboard")
    parser.add_argument("folder", nargs="?", type=Path, help="where the synthetic run is, or is generated")
    parser.add_argument("--small", action="store_true", help="a quick check with a small run in FOLDER/small")
    parser.add_argument("--long", action="store_true", help="one question with long responses, in FOLDER/long")
    chosen = parser.parse_args()
    try:
        chromium_path()
    except RuntimeError as error:
        sys.exit(str(error))
    console, plan = Console(), SMALL if chosen.small else LONG_RESPONSES if chosen.long else FULL
    part = "small" if chosen.small else "long" if chosen.long else "."
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        file = run_file((folder / part).resolve(), plan.size, console)
        with (chromium if chosen.small else patient_chromium)() as browser, opened() as taps:
            rows = Bench(browser, taps, file, plan).measure()
        machine = (
            f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}, load {load:.1f} before"
        )
        console.print(f"{date.today()}, {machine}; a run of {file.stat().st_size / 1e6:,.0f} MB")
    print_table(rows, console)


if __name__ == "__main__":
    main()
