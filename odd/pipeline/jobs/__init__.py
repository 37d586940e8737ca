"""Dashboard jobs: start, watch, stop and resume runs in separate processes."""

from odd.pipeline.jobs.check import check_run, check_servers
from odd.pipeline.jobs.job import Job, list_jobs, read_job
from odd.pipeline.jobs.log import tail
from odd.pipeline.jobs.questions import keep_questions
from odd.pipeline.jobs.start import (
    continue_run,
    delete_run,
    remove_job,
    resume,
    start_adding_teachers,
    start_run,
    stop,
)
from odd.pipeline.jobs.watch import read_progress, time_left

__all__ = [
    "Job",
    "check_run",
    "check_servers",
    "continue_run",
    "delete_run",
    "keep_questions",
    "list_jobs",
    "read_job",
    "read_progress",
    "remove_job",
    "resume",
    "start_adding_teachers",
    "start_run",
    "stop",
    "tail",
    "time_left",
]
