"""Start, stop and remove jobs.

A job runs in its own process session, so it outlives the browser and the dashboard. A small shell waits for it and
writes its exit code, even if the job is killed.
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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odd.access import changes
from odd.config import QuestionsConfig, RunConfig, TeacherConfig, load_config, parse_config
from odd.config.loading import from_file
from odd.errors import OddError, writing
from odd.pipeline.jobs.job import SETTINGS, Job, Kind, jobs_folder, list_jobs
from odd.pipeline.processes import start_time
from odd.pipeline.progress import JOB_FOLDER
from odd.places import DASHBOARD, PACKED
from odd.store import check_run_id, remove_run
from odd.text import parse_json

GRACE = 15.0
"""Seconds between the request to stop a job and killing it. Committed work is kept either way."""

# with a non-empty trap the shell survives the signal; the job does not inherit the trap
SHELL = 'trap : TERM INT HUP; "$@"; echo $? > "$0.tmp"; mv "$0.tmp" "$0"'


@changes(lambda config, questions=(): config.title)
def start_run(config: RunConfig, questions: Sequence[str] = ()) -> Job:
    """Start a run, or continue it if the cache contains it.

    Args:
        config: settings of the run.
        questions: JSON lines that replace `config.questions`; stored with the job.

    Raises:
        OddError: the cache cannot be written.
    """
    folder = _new_folder(config.cache)
    if questions:
        with writing(folder):
            (folder / "questions.jsonl").write_text("\n".join(questions), encoding="utf-8")
        source = QuestionsConfig(source=str(folder / "questions.jsonl"))
        config = config.model_copy(update={"questions": source})
    settings = config.model_dump(mode="json")
    cache = settings.pop("cache")
    job = _new_job(folder, "run", config.title, None, settings)
    # the file contains every setting, so the preset has no effect
    if load_config("demo", job.settings, (f"cache={json.dumps(cache)}",)) != config:
        raise RuntimeError(f"{job.settings} does not reproduce the settings of the run")
    return _start(job, config.cache)


@changes(lambda cache, meta: meta.get("run_id"))
def continue_run(cache: Path, meta: Mapping[str, str]) -> Job:
    """Continue a run that has no job, with the settings in its file.

    Args:
        cache: folder of the run.
        meta: the table `meta` of its file.

    Raises:
        OddError: the file contains no valid settings and questions.
    """
    try:
        settings = parse_json(meta["config"])
        questions = [str(line) for line in parse_json(meta["questions"])]
        config = parse_config(from_file(settings) | {"cache": str(cache)})
    except (KeyError, ValueError, TypeError) as error:
        raise OddError(f"run {meta.get('run_id')}: its file has no valid settings: start a new run") from error
    return start_run(config, questions)


@changes(lambda cache, run_id, teachers: run_id)
def start_adding_teachers(cache: Path, run_id: str, teachers: Sequence[TeacherConfig]) -> Job:
    """Start a job that adds teachers to a finished run.

    Raises:
        OddError: the run id is not valid, or the cache cannot be written.
    """
    settings = {"teachers": [teacher.model_dump(mode="json") for teacher in teachers]}
    names = ", ".join(teacher.name for teacher in teachers)
    job = _new_job(_new_folder(cache), "add_teachers", names, check_run_id(run_id), settings)
    return _start(job, cache)


@changes(lambda job, cache: job.run_id or job.title)
def resume(job: Job, cache: Path) -> Job:
    """Start the same command again, as a new job that replaces the old one.

    Raises:
        OddError: the cache cannot be written.
    """
    folder = _new_folder(cache)
    again = job.but(folder=folder, created=time.time(), pid=None, start_time=None)
    with writing(folder):
        shutil.copy(job.settings, folder)
        if (job.folder / "run").exists():
            shutil.copy(job.folder / "run", folder)
    return _start(again, cache)


def _new_folder(cache: Path) -> Path:
    name = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    folder = jobs_folder(cache) / name
    with writing(folder):
        folder.mkdir(parents=True)
    return folder


def _new_job(folder: Path, kind: Kind, title: str, run: str | None, settings: Mapping[str, Any]) -> Job:
    with writing(folder):
        (folder / SETTINGS).write_text(json.dumps(settings, indent=2), encoding="utf-8")
    return Job(folder, kind, title, time.time(), run)


def _command(job: Job, cache: Path) -> list[str]:
    what = ["run", "--preset", "demo"] if job.run is None else ["add-teacher", job.run]
    return [sys.executable, "-m", "odd", *what, "--config", str(job.settings.resolve()), "--cache", str(cache)]


def process_environment() -> dict[str, str]:
    """Return the environment of an ODD process that writes plain text to a file or a pipe."""
    # an installed package is importable anywhere, a checkout only from its folder
    places = [] if PACKED else [str(DASHBOARD)]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (*places, os.environ.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        "NO_COLOR": "1",
        "COLUMNS": "136",
    }


def _start(job: Job, cache: Path) -> Job:
    """Start the process of a job."""
    environment = process_environment() | {JOB_FOLDER: str(job.folder.resolve())}
    shell = ["/bin/sh", "-c", SHELL, str((job.folder / "exit").resolve())]
    with writing(job.folder), job.log.open("ab") as log:
        job.save()  # before the start: a job without a process can be removed, a process without a job cannot
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
    # without a wait the child would stay in the process table as a zombie
    threading.Thread(target=process.wait, daemon=True).start()
    return started


@changes(lambda job, grace=GRACE: job.run_id or job.title)
def stop(job: Job, grace: float = GRACE) -> None:
    """Ask a job to stop, and kill it if it still runs after `grace` seconds. Return at once."""
    with writing(job.folder):
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
    """Send a signal to the process group of a running job."""
    if job.pid is not None:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, number)


@changes(lambda job: job.id)
def remove_job(job: Job) -> None:
    """Remove the files of a job.

    Raises:
        OddError: the job still runs, or its files cannot be removed.
    """
    if job.alive:
        raise OddError(f"job {job.id} still runs: stop it first")
    with writing(job.folder):
        shutil.rmtree(job.folder)


@changes(lambda cache, run_id: run_id)
def delete_run(cache: Path, run_id: str) -> None:
    """Remove a run and its jobs.

    Raises:
        OddError: the run is running, or files cannot be removed; the message names them.
    """
    jobs = [job for job in list_jobs(cache) if job.run_id == run_id]
    if any(job.alive for job in jobs):
        raise OddError(f"run {run_id} is running: stop it first")
    remove_run(cache, run_id)
    for job in jobs:
        remove_job(job)
