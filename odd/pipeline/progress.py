"""How far a run is, for whoever watches it: told to a listener, and kept in a file beside the run."""

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
"""Environment variable by which a job of the dashboard tells its process where the job is kept."""

Count = Annotated[int, Field(ge=0, lt=2**53)]


class Progress(BaseModel):
    """One step forward.

    Attributes:
        run_id: of the run.
        stage: of the work on the question.
        question: number of the question, from 0.
        questions: how many there are.
        done: rollouts, tries or paths finished in this stage of this question.
        total: how many this stage of this question needs.
        tokens: tokens generated or scored in this stage of this question.
        seconds: time this stage of this question has taken.
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


Listener = Callable[[Progress], None]


class ProgressRecord(Progress):
    """What a progress file holds: the newest step, who made it, and how fast the work goes.

    A file that a killed process left behind stays; `alive` tells.

    Attributes:
        pid: number of the process that works on the run.
        start_time: when that process started, seconds since 1970, as all times.
        started: when it began to work on the run.
        updated: when the step was made.
        first: the question that it began with.
        first_at: when it began with that question.
        question_at: when it began with the question at hand.
        rate: what is done per second in this stage, without what an earlier process did; None where not known yet.
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
        """Whether the process that wrote it still works on the run."""
        return self.stage is not Stage.DONE and is_running(self.pid, self.start_time)

    @property
    def tokens_per_second(self) -> float | None:
        """Speed in the present stage of the present question; None where nothing is generated."""
        return self.tokens / self.seconds if self.tokens and self.seconds > 0 else None

    @property
    def share(self) -> float:
        """Questions that are finished, as a share of all, from 0 to 1."""
        finished = self.question + (self.stage in (Stage.SCORE, Stage.DONE))
        return min(1.0, finished / self.questions) if self.questions > 0 else 0.0


@dataclass
class ProgressFile:
    """A listener that keeps the progress file of a run up to date, replaced atomically.

    A job of the dashboard is told which run it has become.
    """

    cache: Path
    started: float = field(default_factory=time.time)
    _start_time: float | None = field(default_factory=lambda: start_time(os.getpid()))
    _since: dict[int, float] = field(default_factory=dict)
    _first_step: Progress | None = None
    _linked: bool = False

    def __call__(self, progress: Progress) -> None:
        """Write the newest state."""
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
        with suppress(OSError):  # a full disk must not end a run that only wanted to be watched
            _replace(progress_path(self.cache, progress.run_id), record.model_dump_json())
            self._link(progress.run_id)

    def _rate(self, progress: Progress) -> float | None:
        """Rollouts or paths per second since the first step of this stage; None at that step."""
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
    """Write a file so that a reader sees the old one or the whole new one."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(text)
    os.replace(scratch, path)
