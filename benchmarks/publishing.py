"""How long a worker stalls when its run is published.

First a run of the given size is generated: four questions of `benchmarks.synthetic`, written repeatedly with new
numbers. Then the worker continues as in a run: it computes, stores a chunk of rollouts, and at the end of a question
stores its scores and publishes. The stall is the longest time that the call, or any step until readers see the new
file, takes beyond computing.

    python -m benchmarks.publishing
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.conditions import conditions
from benchmarks.synthetic import Size, question_tables
from odd.store import RunReader, RunWriter

CHUNK = 256
COMPUTE = 0.2
"""Seconds of matrix products on all cores between chunks."""

Tables = dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Published:
    """How one publication affected the worker; in seconds.

    Attributes:
        call: duration of the call.
        stall: longest time that a step of the worker took beyond computing, including the call.
        usual: median time of a step beyond computing while nothing is published.
        visible: time from the call until readers see the new file.
    """

    call: float
    stall: float
    usual: float
    visible: float


class Worker:
    """Write synthetic questions to a run file."""

    def __init__(self, writer: RunWriter, questions: list[Tables], waiting: bool) -> None:
        """Write `questions` in turn; with `waiting`, wait for each copy."""
        self.writer, self.questions, self.number, self.waiting = writer, questions, 0, waiting
        self._factor = torch.randn(1000, 1000, generator=torch.Generator().manual_seed(0))

    def question(self, compute: bool) -> Iterator[float]:
        """Write the next question step by step; yield the seconds of each step without computing."""
        tables = self.questions[self.number % len(self.questions)]
        for first in range(0, len(tables["rollouts"]), CHUNK):
            until = time.perf_counter() + COMPUTE
            while compute and time.perf_counter() < until:
                torch.mm(self._factor, self._factor)
            started = time.perf_counter()
            self._keep({"rollouts": tables["rollouts"].iloc[first : first + CHUNK], "timings": tables["timings"]})
            yield time.perf_counter() - started
        started = time.perf_counter()
        self._keep({table: frame for table, frame in tables.items() if table not in ("rollouts", "timings")})
        self.number += 1
        yield time.perf_counter() - started

    def _keep(self, tables: Tables) -> None:
        with self.writer.transaction():
            for table, frame in tables.items():
                self.writer.insert(table, frame.assign(question=self.number))

    def publish(self) -> Published:
        """Publish, and continue until readers see the new file."""
        usual = list(self.question(compute=True))
        with RunReader(self.writer.published) as before:
            started = time.perf_counter()
            if self.waiting:
                self.writer.publish()
            else:
                self.writer.begin_publication()
            call = time.perf_counter() - started
            stall, visible = call, call if before.changed() else 0.0
            while not visible:
                for step in self.question(compute=True):
                    stall = max(stall, step)
                    if not visible and before.changed():
                        visible = time.perf_counter() - started
        return Published(call, stall, statistics.median(usual), visible)


def measure(folder: Path, size: float, times: int, waiting: bool, console: Console) -> tuple[list[Published], int]:
    """Generate a run of `size` bytes and publish it repeatedly; return the publications and the final size in bytes."""
    made = [question_tables(number, Size(questions=10))[1] for number in range(4)]
    with RunWriter(folder, "publishing-00000000") as writer:
        worker, steps, started = Worker(writer, made, waiting), [], time.perf_counter()
        while writer.work.stat().st_size < size:
            steps += worker.question(compute=False)
        seconds, filled = time.perf_counter() - started, writer.work.stat().st_size / 1e6
        console.print(
            f"{filled:,.0f} MB written in {seconds:.0f} s; the slowest of {len(steps)} steps: {max(steps):.2f} s"
        )
        writer.publish()
        found = []
        for _ in range(times):
            found.append(worker.publish())
        return found, writer.published.stat().st_size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publishing")
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--times", type=int, default=10, help="number of publications")
    parser.add_argument("--waiting", action="store_true", help="let the worker wait for each copy")
    chosen, console = parser.parse_args(), Console()
    with tempfile.TemporaryDirectory() as folder:
        found, size = measure(Path(folder), chosen.megabytes * 1e6, chosen.times, chosen.waiting, console)
    table = Table("", "median, s", "largest, s", title=f"Publishing a run of {size / 1e6:,.0f} MB")
    rows = {
        "the call": [one.call for one in found],
        "longest stall of the worker": [one.stall for one in found],
        "a step while nothing is published": [one.usual for one in found],
        "until readers see it": [one.visible for one in found],
    }
    for label, values in rows.items():
        table.add_row(label, f"{statistics.median(values):.3f}", f"{max(values):.3f}")
    console.print(table)
    console.print(conditions("synthetic run", chosen.times))


if __name__ == "__main__":
    main()
