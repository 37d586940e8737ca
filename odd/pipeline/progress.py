"""How far a run has come, for whoever watches it."""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

STAGES = ("initial", "plan", "targeted", "score")


@dataclass(frozen=True)
class Progress:
    """One step forward.

    Attributes:
        run_id: of the run.
        stage: one of `STAGES`, or "done".
        question: number of the question being worked on, from 0.
        questions: how many there are.
        done: rollouts or paths finished in this stage of this question.
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
    """A listener that keeps `<cache>/<run_id>.progress.json` up to date, replaced atomically."""

    cache: Path
    started: float = field(default_factory=time.time)

    def __call__(self, progress: Progress) -> None:
        """Write the newest state."""
        state = asdict(progress) | {"pid": os.getpid(), "started": self.started, "updated": time.time()}
        path = self.cache / f"{progress.run_id}.progress.json"
        scratch = path.with_suffix(".tmp")
        with suppress(OSError):  # a full disk must not end a run that only wanted to be watched
            scratch.write_text(json.dumps(state))
            os.replace(scratch, path)
