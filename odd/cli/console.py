"""Progress bars in a terminal: one for the questions, one for each stage of the current question."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from odd.pipeline.progress import Listener, Progress, ProgressFile
from odd.pipeline.stages import Stage


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
