"""How far a run is, read from its progress file, and how long the rest will take."""

import json
import math
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from odd.pipeline.processes import runs
from odd.store import check_run_id

STAGES = {
    "initial": "initial rollouts",
    "demonstrations": "demonstrations for teachers",
    "contexts": "rollouts behind contexts",
    "plan": "teachers read the paths",
    "targeted": "targeted rollouts",
    "read": "all rollouts are read",
    "score": "gradients and scores",
    "done": "finished",
}
SUFFIX = ".progress.json"


@dataclass(frozen=True)
class Watched:
    """The newest step of a run: fields as in `odd.pipeline.progress`.

    A file that a killed process left behind stays; `alive` tells.
    """

    run_id: str
    stage: str
    question: int
    questions: int
    done: int
    total: int
    tokens: int
    seconds: float
    pid: int
    birth: str | None
    started: float
    updated: float
    first: int
    first_at: float
    question_at: float
    rate: float | None

    @property
    def alive(self) -> bool:
        """Whether the process that wrote it still works on the run."""
        return self.stage != "done" and runs(self.pid, self.birth)

    @property
    def tokens_per_second(self) -> float | None:
        """Speed in the present stage of the present question; None where nothing is generated."""
        return self.tokens / self.seconds if self.tokens and self.seconds > 0 else None

    @property
    def share(self) -> float:
        """Questions that are finished, as a share of all, from 0 to 1."""
        finished = self.question + (self.stage in ("score", "done"))
        return min(1.0, finished / self.questions) if self.questions > 0 else 0.0


def progress_path(cache: Path, run_id: str) -> Path:
    """Where the progress file of a run is.

    Raises:
        OddError: the run id is not valid.
    """
    return cache / f"{check_run_id(run_id)}{SUFFIX}"


def read_progress(cache: Path, run_id: str) -> Watched | None:
    """What the progress file of a run says; None if there is none, or one that was written otherwise."""
    with suppress(OSError, ValueError, TypeError):
        state = json.loads(progress_path(cache, run_id).read_text(encoding="utf-8"))
        kinds = {field.name: field.type for field in fields(Watched)}
        parts = {name: _typed(dict(state).get(name), kinds[name]) for name in kinds}
        if parts["stage"] in STAGES and parts["run_id"] == run_id:
            return Watched(**parts)
    return None


def _typed(value: Any, kind: Any) -> Any:
    """The value if it is what its field holds.

    Raises:
        TypeError: it is something else.
    """
    if kind is float and isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    if (kind is not float and isinstance(value, kind)) and not isinstance(value, bool):
        return value
    raise TypeError(f"{value!r} is no {kind}")


def watched_runs(cache: Path) -> list[str]:
    """Runs that have a progress file."""
    return sorted(path.name.removesuffix(SUFFIX) for path in cache.glob(f"*{SUFFIX}"))


def time_left(now: float, state: Watched) -> float | None:
    """Seconds that the rest will take at the pace so far; None while that cannot be said.

    It can be said once a question was finished, or from inside the targeted rollouts, most of the work, of the first.

    Args:
        now: seconds since 1970.
        state: what the progress file says.
    """
    rest_of_stage = _rest_of_stage(now, state)
    here = now - state.question_at
    finished = state.question - state.first
    later = state.questions - state.question - 1
    if state.stage == "done":
        return 0.0
    if finished > 0:
        each = (state.question_at - state.first_at) / finished
        rest = 0.0 if state.stage == "score" else max(each - here, rest_of_stage or 0.0)
        return rest + later * each
    if state.stage == "score":
        return later * here
    if state.stage in ("targeted", "read") and rest_of_stage is not None:
        return rest_of_stage + later * (here + rest_of_stage)
    return None


def _rest_of_stage(now: float, state: Watched) -> float | None:
    """Seconds that this stage of this question still needs."""
    if not state.rate or state.rate < 0:
        return None
    return max(0.0, (state.total - state.done) / state.rate - (now - state.updated))
