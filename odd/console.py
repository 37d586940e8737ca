"""Progress bars on a terminal: one for the questions, one for the stage at hand."""

from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from odd.jobs import STAGES
from odd.pipeline.progress import Listener, ProgressFile
from odd.pipeline.progress import Progress as Step

TITLES = {stage: title for stage, title in STAGES.items() if stage != "done"}
SELDOM = ("read",)
"""Stages that most runs do not have: they get a bar when they begin."""


class Bars:
    """A listener that draws progress bars and keeps the progress file."""

    def __init__(self, cache: Path) -> None:
        """Prepare the bars; `cache` is where the progress file goes."""
        self._file: Listener = ProgressFile(cache)
        self._bars = Progress(
            TextColumn("{task.description:26}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[rate]}"),
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "Bars":
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop drawing."""
        self._bars.stop()

    def __call__(self, step: Step) -> None:
        """Draw one step forward."""
        self._file(step)
        if "questions" not in self._tasks:
            self._tasks["questions"] = self._bars.add_task("questions", total=step.questions, rate=step.run_id)
            self._tasks |= {
                stage: self._bars.add_task(title, total=None, rate="", visible=stage not in SELDOM)
                for stage, title in TITLES.items()
            }
        finished = step.question + (step.stage in ("score", "done"))
        self._bars.update(self._tasks["questions"], completed=finished)
        if step.stage == "done":
            return
        rate = f"{step.tokens / step.seconds:,.0f} tokens/s" if step.tokens and step.seconds else ""
        self._bars.update(self._tasks[step.stage], completed=step.done, total=step.total, rate=rate, visible=True)
        later = list(TITLES)[list(TITLES).index(step.stage) + 1 :]
        for stage in later:
            self._bars.update(self._tasks[stage], completed=0, total=None, rate="")
