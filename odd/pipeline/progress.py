"""How far a run has come, for whoever watches it."""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from odd.pipeline.processes import JOB_FOLDER, own_birth

STAGES = ("initial", "demonstrations", "contexts", "plan", "targeted", "read", "score")


@dataclass(frozen=True)
class Progress:
    """One step forward.

    Attributes:
        run_id: of the run.
        stage: one of `STAGES`, or "done".
        question: number of the question being worked on, from 0.
        questions: how many there are.
        done: rollouts, tries or paths finished in this stage of this question.
        total: how many this stage of this question needs.
        tokens: tokens generated or scored in this stage of this question.
        seconds: time this stage of this question has taken.
    """

    run_id: str
    stage: str
    question: int
    questions: int
    done: int
    total: int
    tokens: int = 0
    seconds: float = 0.0


Listener = Callable[[Progress], None]


@dataclass
class ProgressFile:
    """A listener that keeps `<cache>/<run_id>.progress.json` up to date, replaced atomically.

    Beside the newest step it holds the process, and what a reader needs to tell how long the rest will take: `first`,
    the question that this process began with, since when, and since when it is at the present one; and `rate`, what is
    done a second in the present stage, without what an earlier process did. A job of the dashboard is told which run it
    has become.
    """

    cache: Path
    started: float = field(default_factory=time.time)
    _born: str | None = field(default_factory=own_birth)
    _since: dict[int, float] = field(default_factory=dict)
    _stage: tuple[int, str, int, float] = (-1, "", 0, 0.0)
    _linked: bool = False

    def __call__(self, progress: Progress) -> None:
        """Write the newest state."""
        now = time.time()
        self._since.setdefault(progress.question, now - progress.seconds)
        first = next(iter(self._since))
        process = {"pid": os.getpid(), "birth": self._born, "started": self.started, "updated": now}
        pace = {"first": first, "first_at": self._since[first], "question_at": self._since[progress.question]}
        pace |= {"rate": self._rate(progress)}
        with suppress(OSError):  # a full disk must not end a run that only wanted to be watched
            _replace(self.cache / f"{progress.run_id}.progress.json", json.dumps(asdict(progress) | process | pace))
            self._link(progress.run_id)

    def _rate(self, progress: Progress) -> float | None:
        """Rollouts or paths a second since the first step of this stage; None at that step."""
        if self._stage[:2] != (progress.question, progress.stage):
            self._stage = (progress.question, progress.stage, progress.done, progress.seconds)
        done, seconds = progress.done - self._stage[2], progress.seconds - self._stage[3]
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
