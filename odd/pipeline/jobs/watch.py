"""Read the progress file of a run and estimate the remaining time."""

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from odd.pipeline.progress import ProgressRecord
from odd.pipeline.stages import Stage
from odd.store.files import PROGRESS_SUFFIX, RUN_ID, Signature, progress_path, signature_of
from odd.untrusted import SMALL, read_text


def read_progress(cache: Path, run_id: str) -> ProgressRecord | None:
    """Read the progress file of a run; None if there is none or it is not valid.

    Raises:
        OddError: the run id is not valid.
    """
    with suppress(OSError):
        return _read(progress_path(cache, run_id), run_id)
    return None


def read_all_progress(cache: Path) -> dict[str, ProgressRecord]:
    """Read all valid progress files of a cache; return the records by run id. Files are read again if they change."""
    found = {}
    with suppress(OSError), os.scandir(cache) as entries:
        for entry in entries:
            run_id = entry.name.removesuffix(PROGRESS_SUFFIX)
            if run_id == entry.name or not RUN_ID.fullmatch(run_id):
                continue
            with suppress(OSError):
                signature = signature_of(entry.stat())
                if signature and (record := _unchanged(Path(entry.path), signature, run_id)):
                    found[run_id] = record
    return found


def _read(path: Path, run_id: str) -> ProgressRecord | None:
    with suppress(ValueError):
        record = ProgressRecord.model_validate_json(read_text(path, largest=SMALL))
        return record if record.run_id == run_id else None
    return None


@lru_cache(maxsize=1 << 16)
def _unchanged(path: Path, signature: Signature, run_id: str) -> ProgressRecord | None:
    """`_read`, cached by the signature of the file."""
    return _read(path, run_id)


def time_left(now: float, state: ProgressRecord) -> float | None:
    """Estimate the remaining seconds at the current pace; None if that is not possible yet.

    An estimate needs one finished question, or the first question in its targeted rollouts or later.

    Args:
        now: seconds since 1970.
        state: content of the progress file.
    """
    rest_of_stage = _rest_of_stage(now, state)
    here = now - state.question_at
    finished = state.question - state.first
    later = state.questions - state.question - 1
    if state.stage is Stage.DONE:
        return 0.0
    if finished > 0:
        each = (state.question_at - state.first_at) / finished
        rest = 0.0 if state.stage is Stage.SCORE else max(each - here, rest_of_stage or 0.0)
        return rest + later * each
    if state.stage is Stage.SCORE:
        return later * here
    if state.stage in (Stage.TARGETED, Stage.READ) and rest_of_stage is not None:
        return rest_of_stage + later * (here + rest_of_stage)
    return None


def _rest_of_stage(now: float, state: ProgressRecord) -> float | None:
    """Estimate the remaining seconds of this stage of this question."""
    if not state.rate or state.rate < 0:
        return None
    return max(0.0, (state.total - state.done) / state.rate - (now - state.updated))
