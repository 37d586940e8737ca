"""A job: one command of ODD in a process of its own, and what is kept of it in `<cache>/jobs/<job>/`.

* job.json: what it does, its process and when that started
* config.json: the settings it was started with
* log.txt: what it printed
* exit: its exit code, written by the shell that waits for it
* stopped: there when somebody asked it to stop
* run: id of the run it works on, written by the run itself
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from odd.errors import OddError
from odd.pipeline.jobs.log import last_line
from odd.pipeline.processes import is_running
from odd.store import check_run_id

Kind = Literal["run", "add_teachers"]
State = Literal["running", "stopping", "finished", "stopped", "failed"]
SETTINGS = "config.json"
JOB_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}", re.ASCII)
STOPPED = (130, 143)
"""Exit codes after SIGINT and SIGTERM."""
KILLED = 137
"""Exit code after SIGKILL."""


@dataclass(frozen=True)
class Job:
    """What was started.

    Attributes:
        folder: where it is kept.
        kind: `run` makes or continues a run, `add_teachers` adds teachers to one.
        title: what it is called before its run is known.
        created: seconds since 1970.
        run: the run that teachers are added to; None for `run`, which finds out.
        pid: number of its process, which leads a process group; None until it has been started.
        start_time: when the process started, seconds since 1970.
    """

    folder: Path
    kind: Kind
    title: str
    created: float
    run: str | None = None
    pid: int | None = None
    start_time: float | None = None

    @property
    def id(self) -> str:
        """Name of the job."""
        return self.folder.name

    @property
    def settings(self) -> Path:
        """The settings it was started with; TOML in jobs of an earlier version."""
        earlier = self.folder / "config.toml"
        return earlier if earlier.exists() else self.folder / SETTINGS

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / "log.txt"

    @property
    def run_id(self) -> str | None:
        """The run it works on; None until that is known."""
        if self.run is not None:
            return self.run
        with suppress(OSError, OddError, UnicodeDecodeError):
            return check_run_id((self.folder / "run").read_text(encoding="utf-8").strip())
        return None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs, or when nothing was left to say it."""
        with suppress(OSError, ValueError):
            return int((self.folder / "exit").read_text(encoding="utf-8"))
        return None

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return is_running(self.pid, self.start_time)

    @property
    def state(self) -> State:
        """What it does or how it ended."""
        asked = (self.folder / "stopped").exists()
        if self.alive:
            return "stopping" if asked else "running"
        code = self.exit_code
        if code == 0:
            return "finished"
        return "stopped" if asked or code in STOPPED else "failed"

    @property
    def ended(self) -> float:
        """When it ended or last said something, seconds since 1970."""
        for file in (self.folder / "exit", self.log):
            with suppress(OSError):
                return file.stat().st_mtime
        return self.created

    @property
    def reason(self) -> str:
        """Why it failed, one line."""
        code, said = self.exit_code, last_line(self.log)
        if code is None or code == KILLED:
            return "its process was killed: out of memory, or the machine was switched off; resume goes on from there"
        return said.removeprefix("error: ") if said else f"its process ended with code {code} without a word"

    def save(self) -> None:
        """Keep the record, replaced atomically."""
        scratch = self.folder / "job.json.tmp"
        scratch.write_bytes(RECORD.dump_json(self, exclude={"folder"}))
        scratch.replace(self.folder / "job.json")

    def but(self, **changes: Any) -> "Job":
        """The same job with some parts changed."""
        return replace(self, **changes)


RECORD = TypeAdapter(Job)


def jobs_folder(cache: Path) -> Path:
    """Where the jobs of a cache are kept."""
    return cache / "jobs"


def read_job(folder: Path) -> Job | None:
    """The job that is kept in a folder; None if it holds none."""
    with suppress(OSError, ValueError, TypeError):
        record = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        job = RECORD.validate_python(record | {"folder": folder})
        return job if JOB_ID.fullmatch(folder.name) else None
    return None


def list_jobs(cache: Path) -> list[Job]:
    """All jobs of a cache, the newest first."""
    found = (read_job(folder) for folder in jobs_folder(cache).glob("*-*-*"))
    return sorted((job for job in found if job), key=lambda job: (job.created, job.id), reverse=True)
