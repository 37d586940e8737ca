"""Progress of a run: reported to a listener and stored in a file next to the run."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from odd.pipeline.processes import is_running, start_time
from odd.pipeline.stages import Stage
from odd.store.files import progress_path

JOB_FOLDER = "ODD_JOB_FOLDER"
"""Environment variable with the folder of the dashboard job that started the process."""

Count = Annotated[int, Field(ge=0, lt=2**53)]


class Progress(BaseModel):
    """One progress step.

    Attributes:
        run_id: id of the run.
        stage: stage of the question.
        question: number of the question, from 0.
        questions: number of questions of the run.
        done: rollouts, tries or paths finished in this stage of this question.
        total: number that this stage of this question needs.
        tokens: tokens generated or scored in this stage of this question.
        seconds: duration of this stage of this question so far.
    """

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    run_id: str
    stage: Annotated[Stage, Field(strict=False)]
    question: Count
    questions: Count
    done: Count
    total: Count
    tokens: Count = 0
    seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float | None:
        """Speed in the current stage of the current question; None if no tokens are counted."""
        return self.tokens / self.seconds if self.tokens and self.seconds > 0 else None


Listener = Callable[[Progress], None]


class ProgressRecord(Progress):
    """Content of a progress file: the latest step, the process that made it, and its speed.

    A killed process leaves its file behind; see `alive`. All times are in seconds since 1970.

    Attributes:
        pid: id of the process that works on the run.
        start_time: start time of that process.
        started: when it started to work on the run.
        updated: when the step was reported.
        first: the first question of the process.
        first_at: when it started that question.
        question_at: when it started the current question.
        rate: items per second of this process in this stage; None if not known yet.
    """

    pid: int
    start_time: float | None
    started: float
    updated: float
    first: Count
    first_at: float
    question_at: float
    rate: float | None

    @property
    def alive(self) -> bool:
        """Whether the process that wrote the file still works on the run."""
        return self.stage is not Stage.DONE and is_running(self.pid, self.start_time)

    @property
    def share(self) -> float:
        """Share of finished questions, 0 to 1."""
        finished = self.question + (self.stage in (Stage.SCORE, Stage.DONE))
        return min(1.0, finished / self.questions) if self.questions > 0 else 0.0


@dataclass
class ProgressFile:
    """Listener that writes the progress file of a run, replacing it atomically.

    It also writes the run id to the folder of the dashboard job, if there is one.
    """

    cache: Path
    started: float = field(default_factory=time.time)
    _start_time: float | None = field(default_factory=lambda: start_time(os.getpid()))
    _since: dict[int, float] = field(default_factory=dict)
    _first_step: Progress | None = None
    _linked: bool = False

    def __call__(self, progress: Progress) -> None:
        """Write the latest state."""
        now = time.time()
        self._since.setdefault(progress.question, now - progress.seconds)
        first = next(iter(self._since))
        record = ProgressRecord(
            **dict(progress),
            pid=os.getpid(),
            start_time=self._start_time,
            started=self.started,
            updated=now,
            first=first,
            first_at=self._since[first],
            question_at=self._since[progress.question],
            rate=self._rate(progress),
        )
        # failing to report progress, as on a full disk, must not end the run
        with suppress(OSError):  # first: who sees the progress of a job can tell its run
            self._link(progress.run_id)
        with suppress(OSError):
            _replace(progress_path(self.cache, progress.run_id), record.model_dump_json())

    def _rate(self, progress: Progress) -> float | None:
        """Return items per second since the first step of this stage; None at that step."""
        first = self._first_step
        if first is None or (first.question, first.stage) != (progress.question, progress.stage):
            first = self._first_step = progress
        done, seconds = progress.done - first.done, progress.seconds - first.seconds
        return done / seconds if done > 0 and seconds > 0 else None

    def _link(self, run_id: str) -> None:
        folder = os.environ.get(JOB_FOLDER)
        if folder and not self._linked:
            _replace(Path(folder) / "run", run_id)
            self._linked = True


def _replace(path: Path, text: str) -> None:
    """Write a file by atomic rename."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(text)
    os.replace(scratch, path)
