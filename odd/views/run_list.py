"""List of the runs of a cache, from run files, work files, jobs and progress files."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from odd.pipeline.jobs import Job, list_jobs
from odd.pipeline.jobs.watch import read_all_progress
from odd.pipeline.progress import ProgressRecord
from odd.store import RUN_ID, Facts, RunInfo, list_runs, run_at, work_path
from odd.store.files import SUFFIX

Status = Literal["running", "stopping", "screened", "finished", "stopped", "failed", "unreadable"]


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
        return RUN_ID.fullmatch(self.run_id) is not None

    @property
    def elsewhere(self) -> bool:
        """Whether it is running in a process that was not started from here."""
        return not (self.job and self.job.alive) and self.progress is not None and self.progress.alive

    @property
    def active(self) -> Literal["running", "stopping"] | None:
        """Its status while a process works on it, else None; its run file is not opened."""
        if self.job and self.job.alive:
            return "stopping" if self.job.state == "stopping" else "running"
        return "running" if self.elsewhere else None

    @property
    def is_read(self) -> bool:
        """Whether its status and facts are known without opening its run file."""
        return self.info is None or self.info.is_read

    @property
    def facts(self) -> Facts | None:
        """Contents of its run file; None if it has none or it cannot be read."""
        return self.info.facts if self.info else None

    @property
    def status(self) -> Status:
        """Status to show; its run file is opened if it has no summary yet."""
        if self.active:
            return self.active
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

    @property
    def begun(self) -> float:
        """Start time of the process that works on it, seconds since 1970; 0 if none does."""
        if self.job is not None and self.job.alive:
            return self.job.created
        return self.progress.started if self.progress is not None else 0.0


def _what(job: Job | None) -> str:
    return f"adding teacher {job.title}" if job and job.kind == "add_teachers" else "the last job"


@dataclass(frozen=True)
class Listing:
    """The runs of a cache, and the jobs that belong to none of them; both newest first."""

    runs: tuple[Entry, ...]
    jobs: tuple[Job, ...]


def list_entries(cache: Path) -> Listing:
    """List the runs and jobs of a cache, without opening run files."""
    infos = {info.run_id: info for info in list_runs(cache)}
    works = _work_files(cache)
    jobs = [(job, job.run_id) for job in list_jobs(cache)]
    newest = _newest(jobs)
    progress = read_all_progress(cache)
    names = {*infos, *works, *(name for name, job in newest.items() if job.alive)}
    runs = [
        Entry(name, infos.get(name), works.get(name), newest.get(name), progress.get(name)) for name in sorted(names)
    ]
    lost = [job for job, name in jobs if name not in names]
    return Listing(tuple(sorted(runs, key=lambda entry: -entry.changed)), tuple(lost))


def _work_files(cache: Path) -> dict[str, Path]:
    with suppress(OSError):
        names = (name.removesuffix(SUFFIX) for name in os.listdir(cache / "work") if name.endswith(SUFFIX))
        return {name: work_path(cache, name) for name in names if RUN_ID.fullmatch(name)}
    return {}


def _newest(jobs: Sequence[tuple[Job, str | None]]) -> dict[str, Job]:
    """Return the newest job of each run; the jobs are sorted, newest first."""
    newest: dict[str, Job] = {}
    for job, name in jobs:
        if name is not None:
            newest.setdefault(name, job)
    return newest


def list_active(cache: Path) -> Listing:
    """List only the runs and jobs that a process works on, in the order of their start, so that none changes places."""
    jobs = [(job, job.run_id) for job in list_jobs(cache) if job.alive]
    newest = _newest(jobs)
    progress = read_all_progress(cache)
    watched = {name for name, record in progress.items() if record.alive}
    runs = []
    for name in sorted({*newest, *watched}):
        info, work = run_at(cache, name), work_path(cache, name)
        if info or work.exists() or name in newest:
            runs.append(Entry(name, info, work if work.exists() else None, newest.get(name), progress.get(name)))
    lost = [job for job, name in jobs if name is None]
    return Listing(tuple(sorted(runs, key=lambda entry: (entry.begun, entry.run_id))), tuple(lost))


def at_work(cache: Path) -> frozenset[str]:
    """Ids of active jobs, and of runs that are running in other processes. Cheap: no run file is opened."""
    jobs = [job for job in list_jobs(cache) if job.alive]
    theirs = {job.run_id for job in jobs}
    watched = (name for name, record in read_all_progress(cache).items() if name not in theirs and record.alive)
    return frozenset({*(job.id for job in jobs), *watched})


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
