"""Progress of a command: bars in a terminal, lines in a log file, JSON Lines for programs, or nothing."""

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from odd.cli.options import Reporting, print_run
from odd.pipeline.progress import Listener, Progress, ProgressFile
from odd.pipeline.stages import Stage

SILENCE = 60.0
"""Seconds after which a log repeats the last step, so that a slow stage does not look like a hanging process."""


@contextmanager
def listening(cache: Path, stages: Sequence[Stage], report: Reporting) -> Iterator[Listener]:
    """Yield a listener that reports progress and writes the progress file.

    Args:
        cache: folder of the progress file.
        stages: stages of each question.
        report: how to report; `progress` draws bars in a terminal, and writes lines to standard error elsewhere.
    """
    if report == "quiet":
        yield ProgressFile(cache)
    elif report == "json":
        yield JsonLines(cache)
    elif sys.stdout.isatty():
        with Bars(cache, stages) as bars:
            yield bars
    else:
        with Lines(cache) as lines:
            yield lines


def print_result(path: Path, report: Reporting) -> None:
    """Print the results of a run: its tables, or for programs its id and file."""
    if report == "json":
        print(json.dumps({"run": path.stem, "file": str(path)}), flush=True)
    else:
        print_run(path)


class JsonLines:
    """Listener that prints every progress step as a JSON object and writes the progress file."""

    def __init__(self, cache: Path) -> None:
        self._file: Listener = ProgressFile(cache)

    def __call__(self, progress: Progress) -> None:
        """Print one progress step."""
        self._file(progress)
        print(progress.model_dump_json(), flush=True)


class Lines:
    """Listener that prints a line per question and stage, and at least one per `silence` seconds, as plain text."""

    def __init__(self, cache: Path, silence: float = SILENCE) -> None:
        self._file: Listener = ProgressFile(cache)
        self._silence = silence
        self._last: Progress | None = None
        self._printed = self._at = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._repeat, daemon=True)

    def __enter__(self) -> "Lines":
        """Start to watch for silence."""
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Print the last step if it is not printed yet, and stop watching."""
        self._ended.set()
        self._watch.join()
        if self._last is not None and self._at > self._printed:
            self._print(self._last)

    def __call__(self, progress: Progress) -> None:
        """Report one progress step."""
        self._file(progress)
        with self._lock:
            last, self._last = self._last, progress
            # a stage may end early, so its end is known only when the next one begins
            ended = last is not None and (last.question, last.stage) != (progress.question, progress.stage)
            if last is not None and ended and self._at > self._printed:
                self._print(last)
            self._at = time.monotonic()
            if progress.done == progress.total or progress.stage is Stage.DONE:
                self._print(progress)

    def _repeat(self) -> None:
        while not self._ended.wait(max(0.0, self._printed + self._silence - time.monotonic())):
            with self._lock:
                if time.monotonic() >= self._printed + self._silence:
                    if self._last is None:
                        self._say("loading models")
                    else:
                        self._print(self._last)

    def _print(self, progress: Progress) -> None:
        rate = f", {progress.tokens / progress.seconds:,.0f} tokens/s" if progress.tokens and progress.seconds else ""
        place = f"question {progress.question + 1} of {progress.questions}, {progress.stage.label}"
        step = progress.stage.label if progress.stage is Stage.DONE else f"{place}: {progress.done} of {progress.total}"
        self._say(f"{progress.run_id}: {step}{rate}")

    def _say(self, text: str) -> None:
        self._printed = time.monotonic()
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Bars:
    """Listener that draws progress bars and writes the progress file."""

    def __init__(self, cache: Path, stages: Sequence[Stage]) -> None:
        """Create the bars.

        Args:
            cache: folder of the progress file.
            stages: stages of each question.
        """
        self._file: Listener = ProgressFile(cache)
        self._stages = stages
        self._question = 0
        self._bars = RichProgress(
            TextColumn("{task.description:26}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        self._questions: TaskID | None = None
        self._tasks: dict[Stage, TaskID] = {}

    def __enter__(self) -> "Bars":
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self._bars.stop()

    def __call__(self, progress: Progress) -> None:
        """Draw one progress step."""
        self._file(progress)
        if self._questions is None:
            self._questions = self._bars.add_task("questions", total=progress.questions, rate=progress.run_id)
            # the bar of a stage that most runs lack appears when the stage starts
            self._tasks = {
                stage: self._bars.add_task(stage.label, total=None, rate="", visible=not stage.seldom)
                for stage in self._stages
            }
        if progress.question != self._question:
            self._question = progress.question
            for task in self._tasks.values():
                self._bars.update(task, completed=0, total=None, rate="")
        last = progress.stage is self._stages[-1] and progress.done == progress.total
        finished = progress.question + (last or progress.stage is Stage.DONE)
        self._bars.update(self._questions, completed=finished)
        if progress.stage is Stage.DONE:
            return
        rate = f"{progress.tokens / progress.seconds:,.0f} tokens/s" if progress.tokens and progress.seconds else ""
        task = self._tasks[progress.stage]
        self._bars.update(task, completed=progress.done, total=progress.total, rate=rate, visible=True)
