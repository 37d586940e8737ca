"""A job: one ODD command in a separate process, with its files in `<cache>/jobs/<job>/`.

* job.json: kind, title, process and start time
* config.json: settings of the command
* log.txt: output of the command
* exit: exit code, written by the shell that waits for the command
* stopped: exists if the user stopped the job
* run: id of its run, written by the run itself
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from odd.errors import OddError
from odd.pipeline.jobs.log import last_line
from odd.pipeline.processes import is_running
from odd.store import check_run_id
from odd.text import parse_json
from odd.untrusted import SMALL, read_text

Kind = Literal["run", "add_teachers"]
State = Literal["running", "stopping", "finished", "stopped", "failed"]
SETTINGS = "config.json"
Seconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
JOB_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}", re.ASCII)
STOPPED = (130, 143)
"""Exit codes after SIGINT and SIGTERM."""
KILLED = 137
"""Exit code after SIGKILL."""


@dataclass(frozen=True)
class Job:
    """Record of a job.

    Attributes:
        folder: folder of the job.
        kind: `run` starts or continues a run, `add_teachers` adds teachers to one.
        title: name to show until the run is known.
        created: seconds since 1970.
        run: the run that teachers are added to; None for `run`, whose run id is known later.
        pid: id of its process, which leads a process group; None before the start.
        start_time: start time of the process, seconds since 1970.
    """

    folder: Path
    kind: Kind
    title: str
    created: Seconds
    run: Annotated[str, AfterValidator(check_run_id)] | None = None
    pid: Annotated[int, Field(gt=0, lt=1 << 31)] | None = None
    start_time: Seconds | None = None

    @property
    def id(self) -> str:
        """Id of the job."""
        return self.folder.name

    @property
    def settings(self) -> Path:
        """Path of the settings; TOML in jobs of earlier versions."""
        earlier = self.folder / "config.toml"
        return earlier if earlier.exists() else self.folder / SETTINGS

    @property
    def log(self) -> Path:
        """Path of the log."""
        return self.folder / "log.txt"

    @property
    def run_id(self) -> str | None:
        """Id of its run; None until it is known."""
        if self.run is not None:
            return self.run
        with suppress(OSError, OddError, UnicodeDecodeError):
            return check_run_id(read_text(self.folder / "run", largest=SMALL).strip())
        return None

    @property
    def exit_code(self) -> int | None:
        """Exit code; None while it runs, or if the shell that would write it was killed."""
        with suppress(OSError, ValueError):
            return int(read_text(self.folder / "exit", largest=SMALL))
        return None

    @property
    def alive(self) -> bool:
        """Whether its process is running."""
        return is_running(self.pid, self.start_time)

    @property
    def state(self) -> State:
        """Current state, or how the job ended."""
        asked = (self.folder / "stopped").exists()
        if self.alive:
            return "stopping" if asked else "running"
        code = self.exit_code
        if code == 0:
            return "finished"
        return "stopped" if asked or code in STOPPED else "failed"

    @property
    def ended(self) -> float:
        """When it ended or last wrote to its log, seconds since 1970."""
        for file in (self.folder / "exit", self.log):
            with suppress(OSError):
                return file.stat().st_mtime
        return self.created

    @property
    def reason(self) -> str:
        """Why it failed, one line."""
        code, said = self.exit_code, last_line(self.log)
        if code is None or code == KILLED:
            return "its process was killed: out of memory, or the machine was switched off; resume to continue"
        return said.removeprefix("error: ") if said else f"its process exited with code {code} and no message"

    def save(self) -> None:
        """Write the record, replacing it atomically."""
        scratch = self.folder / "job.json.tmp"
        scratch.write_bytes(RECORD.dump_json(self, exclude={"folder"}))
        scratch.replace(self.folder / "job.json")

    def but(self, **changes: Any) -> "Job":
        """Return a copy with changes."""
        return replace(self, **changes)


RECORD = TypeAdapter(Job)


def jobs_folder(cache: Path) -> Path:
    """Return the folder of the jobs of a cache."""
    return cache / "jobs"


def read_job(folder: Path) -> Job | None:
    """Read the job of a folder; None if the folder contains none, or one that is malformed."""
    with suppress(OSError, ValueError, TypeError, OddError):
        record = parse_json(read_text(folder / "job.json", largest=SMALL))
        job = RECORD.validate_python(record | {"folder": folder})
        return job if JOB_ID.fullmatch(folder.name) else None
    return None


def list_jobs(cache: Path) -> list[Job]:
    """Return all jobs of a cache, newest first."""
    found = (read_job(folder) for folder in jobs_folder(cache).glob("*-*-*"))
    return sorted((job for job in found if job), key=lambda job: (job.created, job.id), reverse=True)
