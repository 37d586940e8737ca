"""Lock of a run, taken to write or remove it."""

from pathlib import Path

from filelock import FileLock, Timeout

from odd.errors import OddError, os_problem, writing


def take_lock(work: Path, run_id: str) -> FileLock:
    """Take the lock of a run; the operating system releases it however the process ends.

    Args:
        work: work file of the run; the lock file is next to it.
        run_id: id of the run, for the error message.

    Raises:
        OddError: another process has the lock, or its file or folder cannot be written.
    """
    with writing(work.parent):
        work.parent.mkdir(parents=True, exist_ok=True)
    path = work.with_suffix(".lock")
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise OddError(
            f"run {run_id} is being written by another process; wait for it to end or stop it, then try again"
        ) from None
    except OSError as error:
        raise os_problem(f"{path} cannot be written", error) from error
    return lock
