"""List of the runs of a cache, from run files, work files, jobs and progress files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from odd.errors import OddError
from odd.pipeline.jobs import Job, list_jobs, read_progress
from odd.pipeline.jobs.watch import watched_runs
from odd.pipeline.progress import ProgressRecord
from odd.store import RunInfo, check_run_id, list_runs
from odd.store.run import Run
from odd.text import parse_json
from odd.views.resolve import usual_measure

Status = Literal["running", "stopping", "screened", "finished", "stopped", "failed", "unreadable"]


@dataclass(frozen=True)
class Facts:
    """Contents of a run file; decision points are those under the usual objective and convention.

    `student` and `made` (time of creation, seconds since 1970) are None if they are not in the file.
    """

    student: str | None
    teachers: tuple[str, ...]
    questions: int
    finished: int
    decision_points: int
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


@dataclass(frozen=True)
class Entry:
    """A run: its run file, its newest job, and its progress file.

    Attributes:
        run_id: file name without suffix; a valid run id unless `valid` is False.
        info: the run file; None if there is none yet.
        work: the work file; None if there is none.
        job: the newest job of the run; None if none was started from here.
        progress: the newest progress record.
    """

    run_id: str
    info: RunInfo | None
    work: Path | None
    job: Job | None
    progress: ProgressRecord | None

    @property
    def valid(self) -> bool:
        """Whether the run has a valid id, so it can be removed or continued."""
        return _is_run_id(self.run_id)

    @property
    def elsewhere(self) -> bool:
        """Whether it is running in a process that was not started from here."""
        return not (self.job and self.job.alive) and self.progress is not None and self.progress.alive

    @property
    def status(self) -> Status:
        """Status to show."""
        if self.job and self.job.alive:
            return "stopping" if self.job.state == "stopping" else "running"
        if self.elsewhere:
            return "running"
        if self.info and self.info.problem:
            return "unreadable"
        if self.info and self.info.status == "finished":
            return "finished"
        if self.info and self.info.status == "screened" and not self._failed:
            return "screened"
        return "failed" if self._failed else "stopped"

    @property
    def _failed(self) -> bool:
        """Whether its newest job failed and its run file has not been written since."""
        if self.job is None or self.job.state != "failed":
            return False
        return self.info is None or self.info.mtime <= self.job.ended + 1

    @property
    def note(self) -> str | None:
        """Why it is not finished, or what has failed since; None if there is nothing to report."""
        if self.status == "unreadable" and self.info:
            return self.info.problem
        if self.status == "finished":
            return f"{_what(self.job)} failed: {self.job.reason}" if self._failed and self.job else None
        if self.status == "failed" and self.job:
            return self.job.reason
        if self.status == "running" and self.elsewhere:
            return "running in a process that was not started here"
        if self.status == "screened":
            return "its questions are screened; Run continues from there"
        if self.status == "stopped" and self.info is None:
            return "it has no run file yet; completed work is kept"
        return None

    @property
    def size(self) -> int:
        """Size of the run file, else of the work file, in bytes."""
        if self.info:
            return self.info.size
        return self.work.stat().st_size if self.work and self.work.exists() else 0

    @property
    def changed(self) -> float:
        """Time of the last change, seconds since 1970."""
        if self.info:
            return self.info.mtime
        return self.work.stat().st_mtime if self.work and self.work.exists() else 0.0


def _what(job: Job | None) -> str:
    return f"adding teacher {job.title}" if job and job.kind == "add_teachers" else "the last job"


def _is_run_id(text: str) -> bool:
    try:
        check_run_id(text)
    except OddError:
        return False
    return True


@dataclass(frozen=True)
class Listing:
    """The runs of a cache, and the jobs that belong to none of them; both newest first."""

    runs: tuple[Entry, ...]
    jobs: tuple[Job, ...]


def list_entries(cache: Path) -> Listing:
    """List the runs and jobs of a cache."""
    infos = {info.run_id: info for info in list_runs(cache)}
    works = {path.stem: path for path in (cache / "work").glob("*.duckdb") if _is_run_id(path.stem)}
    jobs = list_jobs(cache)
    newest: dict[str, Job] = {}
    for job in jobs:
        if job.run_id is not None:
            newest.setdefault(job.run_id, job)
    names = {*infos, *works, *(name for name, job in newest.items() if job.alive)}
    runs = [
        Entry(name, infos.get(name), works.get(name), newest.get(name), _progress(cache, name))
        for name in sorted(names)
    ]
    lost = [job for job in jobs if job.run_id not in names]
    return Listing(tuple(sorted(runs, key=lambda entry: -entry.changed)), tuple(lost))


def _progress(cache: Path, run_id: str) -> ProgressRecord | None:
    return read_progress(cache, run_id) if _is_run_id(run_id) else None


def at_work(cache: Path) -> frozenset[str]:
    """Ids of active jobs, and of runs that are running in other processes. Cheap: no run file is opened."""
    jobs = [job for job in list_jobs(cache) if job.alive]
    theirs = {job.run_id for job in jobs}
    watched = (read_progress(cache, name) for name in watched_runs(cache) if _is_run_id(name))
    return frozenset(
        {
            *(job.id for job in jobs),
            *(state.run_id for state in watched if state and state.run_id not in theirs and state.alive),
        }
    )


SORTS: dict[str, Any] = {
    "newest first": lambda entry, _: -entry.changed,
    "oldest first": lambda entry, _: entry.changed,
    "name": lambda entry, _: entry.run_id,
    "student": lambda entry, facts: (facts.student if facts and facts.student else "\uffff", entry.run_id),
    "status": lambda entry, _: (entry.status, -entry.changed),
    "questions": lambda entry, facts: -(facts.questions if facts else -1),
    "decision points": lambda entry, facts: -(facts.decision_points if facts else -1),
    "size": lambda entry, _: -entry.size,
}


def sort_entries(
    entries: Sequence[Entry], facts: Mapping[str, Facts | None], order: str, search: str = ""
) -> list[Entry]:
    """Runs with the search text in name, student or teachers, in one of the orders of `SORTS`."""

    def matches(entry: Entry) -> bool:
        known = facts.get(entry.run_id)
        texts = [entry.run_id, *((known.student or "", *known.teachers) if known else ())]
        return any(search.casefold() in text.casefold() for text in texts)

    found = [entry for entry in entries if matches(entry)]
    return sorted(found, key=lambda entry: SORTS[order](entry, facts.get(entry.run_id)))
