"""Removal of a run with all its files."""

from pathlib import Path

from odd.errors import os_problem
from odd.store.files import log_of, progress_path, published_path, remove_leftovers, summary_path, work_path
from odd.store.lock import take_lock


def remove_run(cache_dir: Path, run_id: str) -> None:
    """Remove the published file of a run, its work file, progress file and summary, and leftovers of killed processes.

    Raises:
        OddError: the run id is not valid, another process writes the run, or a file cannot be removed.
    """
    published, work = published_path(cache_dir, run_id), work_path(cache_dir, run_id)
    with take_lock(work, run_id):
        try:
            for file in (published, work):
                remove_leftovers(file)
                log_of(file).unlink(missing_ok=True)
                file.unlink(missing_ok=True)
            for damaged in work.parent.glob(f"{work.name}.damaged-*"):
                damaged.unlink()
            progress_path(cache_dir, run_id).unlink(missing_ok=True)
            summary_path(cache_dir, run_id).unlink(missing_ok=True)
        except OSError as error:
            raise os_problem(f"run {run_id} could not be removed", error) from error
