"""What a list of runs shows of a run: its size in questions and decision points, student, teachers and date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from odd.config import USUAL
from odd.settings import Count
from odd.store.run import Run
from odd.text import parse_json


@dataclass(frozen=True)
class Facts:
    """Contents of a run file; decision points are those under the usual objective and convention.

    `student` and `made` (time of creation, seconds since 1970) are None if they are not in the file.
    """

    student: str | None
    teachers: tuple[str, ...]
    questions: Count
    finished: Count
    decision_points: Count
    made: float | None = None


def read_facts(run: Run, meta: Mapping[str, str]) -> Facts:
    """Read the facts of a run.

    Args:
        run: the run.
        meta: its table `meta`; untrusted.
    """
    counts = {name: int(value) for name, value in run.query("run_facts").iloc[0].items()}
    decisions = run.query("question_decisions", **usual_measure(run))
    return Facts(
        student=_student(meta.get("config", "")),
        teachers=tuple(str(name) for name in run.query("teachers")["teacher"]),
        questions=counts["questions"],
        finished=counts["finished"],
        decision_points=int(decisions["decision_points"].sum()),
        made=_made(meta.get("created_at", "")),
    )


def usual_measure(run: Run) -> dict[str, str | None]:
    """Objective and convention shown by default; None if the run has none."""
    measures = run.query("measures")
    options = {part: measures[part].unique().tolist() for part in USUAL}
    return {part: USUAL[part] if USUAL[part] in found else next(iter(found), None) for part, found in options.items()}


def _made(created_at: str) -> float | None:
    try:
        return datetime.fromisoformat(created_at).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _student(config: str) -> str | None:
    try:
        return str(parse_json(config)["student"]["name"])
    except (ValueError, KeyError, TypeError, IndexError):
        return None
