"""Progress of a command: bars in a terminal, lines in a log file, JSON Lines for programs, or nothing."""

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
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
    file = ProgressFile(cache)
    if report == "quiet":
        yield file
        return
    shown = nullcontext(print_json) if report == "json" else Bars(stages) if sys.stdout.isatty() else Lines()
    with shown as show:

        def both(progress: Progress) -> None:
            file(progress)
            show(progress)

        yield both


def print_result(path: Path, report: Reporting) -> None:
    """Print the results of a run: its tables, or for programs its id and file."""
    if report == "json":
        print(json.dumps({"run": path.stem, "file": str(path)}), flush=True)
    else:
        print_run(path)


def print_json(progress: Progress) -> None:
    """Print a progress step as a JSON object on one line."""
    print(progress.model_dump_json(), flush=True)


def _rate(progress: Progress) -> str:
    speed = progress.tokens_per_second
    return "" if speed is None else f"{speed:,.0f} tokens/s"


class Lines:
    """Listener that prints a line per question and stage, and at least one per `silence` seconds, as plain text."""

    def __init__(self, silence: float = SILENCE) -> None:
        self._silence = silence
        self._last: Progress | None = None
        self._told: Progress | None = None
        self._printed = time.monotonic()
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
        self._tell(self._last)

    def __call__(self, progress: Progress) -> None:
        """Report one progress step."""
        with self._lock:
            last, self._last = self._last, progress
            # a stage may end early, so its end is known only when the next one begins
            if last is not None and (last.question, last.stage) != (progress.question, progress.stage):
                self._tell(last)
            if progress.done == progress.total or progress.stage is Stage.DONE:
                self._tell(progress)

    def _repeat(self) -> None:
        while not self._ended.wait(max(0.0, self._printed + self._silence - time.monotonic())):
            with self._lock:
                if time.monotonic() >= self._printed + self._silence:
                    if self._last is None:
                        self._say("loading models")
                    else:
                        self._print(self._last)

    def _tell(self, progress: Progress | None) -> None:
        """Print a step unless it was the last one printed."""
        if progress is not None and progress is not self._told:
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        self._told = progress
        rate = f", {_rate(progress)}" if _rate(progress) else ""
        place = f"question {progress.question + 1} of {progress.questions}, {progress.stage.label}"
        step = progress.stage.label if progress.stage is Stage.DONE else f"{place}: {progress.done} of {progress.total}"
        self._say(f"{progress.run_id}: {step}{rate}")

    def _say(self, text: str) -> None:
        self._printed = time.monotonic()
        with suppress(OSError):  # a log on a full disk must not end the run
            print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Bars:
    """Listener that draws progress bars."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Create the bars for the stages of each question."""
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
        task = self._tasks[progress.stage]
        self._bars.update(task, completed=progress.done, total=progress.total, rate=_rate(progress), visible=True)
