"""Progress bars on a terminal: one for the questions, one for each stage of the question at hand."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from odd.pipeline.jobs import STAGES
from odd.pipeline.progress import Listener, ProgressFile
from odd.pipeline.progress import Progress as Step

RUN = ("initial", "demonstrations", "plan", "targeted", "read", "score")
SCREENING = ("initial", "demonstrations", "contexts")
SELDOM = ("read",)
"""Stages that most runs do not have: they get a bar when they begin."""


class Bars:
    """A listener that draws progress bars and keeps the progress file."""

    def __init__(self, cache: Path, stages: Sequence[str] = RUN) -> None:
        """Prepare the bars.

        Args:
            cache: where the progress file goes.
            stages: those that questions go through.
        """
        self._file: Listener = ProgressFile(cache)
        self._titles = {stage: STAGES[stage] for stage in stages}
        self._question = 0
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
                for stage, title in self._titles.items()
            }
        if step.question != self._question:
            self._question = step.question
            for stage in self._titles:
                self._bars.update(self._tasks[stage], completed=0, total=None, rate="")
        last = step.stage == list(self._titles)[-1] and step.done == step.total
        finished = step.question + (last or step.stage == "done")
        self._bars.update(self._tasks["questions"], completed=finished)
        if step.stage == "done":
            return
        rate = f"{step.tokens / step.seconds:,.0f} tokens/s" if step.tokens and step.seconds else ""
        self._bars.update(self._tasks[step.stage], completed=step.done, total=step.total, rate=rate, visible=True)
