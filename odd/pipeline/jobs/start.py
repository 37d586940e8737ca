"""Starting, stopping and removing jobs.

A job is a session of its own: it outlives the browser and the dashboard. A small shell waits for it and keeps its exit
code, so that whoever looks later knows how it ended, also when it was killed.
"""

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odd.config import QuestionsConfig, RunConfig, TeacherConfig, load_config, parse_config
from odd.errors import OddError
from odd.pipeline.jobs.job import SETTINGS, Job, Kind, jobs_folder, list_jobs
from odd.pipeline.processes import start_time
from odd.pipeline.progress import JOB_FOLDER
from odd.places import DASHBOARD, PACKED
from odd.store import check_run_id, remove_run
from odd.text import parse_json

GRACE = 15.0
"""Seconds that a job has, after it was asked to stop, before it is killed. What it has committed is kept either way."""

# a trap that does something lets the shell live through the signal, and is not inherited by the job
SHELL = 'trap : TERM INT HUP; "$@"; echo $? > "$0.tmp"; mv "$0.tmp" "$0"'


def start_run(config: RunConfig, questions: Sequence[str] = ()) -> Job:
    """Start making a run, or continuing one: that depends on what the cache holds.

    Args:
        config: its settings.
        questions: lines of JSON that take the place of `config.questions`; kept with the job.

    Raises:
        OddError: the cache cannot be written.
    """
    folder = _new_folder(config.cache)
    if questions:
        with _explained(folder):
            (folder / "questions.jsonl").write_text("\n".join(questions), encoding="utf-8")
        source = QuestionsConfig(source=str(folder / "questions.jsonl"))
        config = config.model_copy(update={"questions": source})
    settings = config.model_dump(mode="json")
    cache = settings.pop("cache")
    job = _new_job(folder, "run", config.title, None, settings)
    # the file holds every setting, so the preset is only what it is put over
    if load_config("demo", job.settings, (f"cache={json.dumps(cache)}",)) != config:
        raise RuntimeError(f"{job.settings} does not say what was asked for")
    return _start(job, config.cache)


def continue_run(cache: Path, meta: Mapping[str, str]) -> Job:
    """Start going on with a run that no job is known of, from what its own file says.

    Args:
        cache: where it is.
        meta: the table `meta` of its file.

    Raises:
        OddError: the file does not say what the run was made with.
    """
    try:
        settings = parse_json(meta["config"])
        questions = [str(line) for line in parse_json(meta["questions"])]
        config = parse_config(settings | {"cache": str(cache)})
    except (KeyError, ValueError, TypeError) as error:
        raise OddError(f"run {meta.get('run_id')}: its file does not say how it was made: start it anew") from error
    return start_run(config, questions)


def start_adding_teachers(cache: Path, run_id: str, teachers: Sequence[TeacherConfig]) -> Job:
    """Start adding teachers to a finished run.

    Raises:
        OddError: the run id is not valid, or the cache cannot be written.
    """
    settings = {"teachers": [teacher.model_dump(mode="json") for teacher in teachers]}
    names = ", ".join(teacher.name for teacher in teachers)
    job = _new_job(_new_folder(cache), "add_teachers", names, check_run_id(run_id), settings)
    return _start(job, cache)


def resume(job: Job, cache: Path) -> Job:
    """Start the same command again, as a new job that takes the old one's place.

    Raises:
        OddError: the cache cannot be written.
    """
    folder = _new_folder(cache)
    again = job.but(folder=folder, created=time.time(), pid=None, start_time=None)
    with _explained(folder):
        shutil.copy(job.settings, folder)
        if (job.folder / "run").exists():
            shutil.copy(job.folder / "run", folder)
    return _start(again, cache)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn errors of the disk into one line."""
    try:
        yield
    except OSError as error:
        raise OddError(f"{folder} cannot be written ({error.strerror}): choose another cache") from error


def _new_folder(cache: Path) -> Path:
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    folder = jobs_folder(cache) / name
    with _explained(folder):
        folder.mkdir(parents=True)
    return folder


def _new_job(folder: Path, kind: Kind, title: str, run: str | None, settings: Mapping[str, Any]) -> Job:
    with _explained(folder):
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return Job(folder, kind, title, time.time(), run)


def _command(job: Job, cache: Path) -> list[str]:
    what = ["run", "--preset", "demo"] if job.run is None else ["add-teacher", job.run]
    return [sys.executable, "-m", "odd", *what, "--config", str(job.settings.resolve()), "--cache", str(cache)]


def _start(job: Job, cache: Path) -> Job:
    """Start the process of a job."""
    # an installed package is found by itself, a checkout only from its own folder
    places = [] if PACKED else [str(DASHBOARD)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (*places, os.environ.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "COLUMNS": "136",
        JOB_FOLDER: str(job.folder.resolve()),
    }
    shell = ["/bin/sh", "-c", SHELL, str((job.folder / "exit").resolve())]
    with _explained(job.folder), job.log.open("ab") as log:
        job.save()  # before the start: a job without a process can be seen and removed, a process without a job not
        process = subprocess.Popen(
            [*shell, *_command(job, cache)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        started = job.but(pid=process.pid, start_time=start_time(process.pid))
        started.save()
    # a child that nobody waits for would stay in the process table
    threading.Thread(target=process.wait, daemon=True).start()
    return started


def stop(job: Job, grace: float = GRACE) -> None:
    """Ask a job to stop, and kill it if it has not after `grace` seconds. Returns at once."""
    with _explained(job.folder):
        (job.folder / "stopped").touch()
    if job.alive:
        _signal(job, signal.SIGTERM)
        threading.Thread(target=_kill_late, args=(job, grace), daemon=True).start()


def _kill_late(job: Job, grace: float) -> None:
    end = time.monotonic() + grace
    while job.alive:
        if time.monotonic() > end:
            _signal(job, signal.SIGKILL)
            return
        time.sleep(0.1)


def _signal(job: Job, number: signal.Signals) -> None:
    """Send a signal to the process group of a job that was just seen alive."""
    if job.pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, number)


def remove_job(job: Job) -> None:
    """Remove what is kept of a job.

    Raises:
        OddError: it still runs, or its files cannot be removed.
    """
    if job.alive:
        raise OddError(f"job {job.id} still runs: stop it first")
    with _explained(job.folder):
        shutil.rmtree(job.folder)


def delete_run(cache: Path, run_id: str) -> None:
    """Remove a run with its jobs.

    Raises:
        OddError: a process works on the run, or files cannot be removed; the message says which.
    """
    jobs = [job for job in list_jobs(cache) if job.run_id == run_id]
    if any(job.alive for job in jobs):
        raise OddError(f"run {run_id} is running: stop it first")
    remove_run(cache, run_id)
    for job in jobs:
        remove_job(job)
