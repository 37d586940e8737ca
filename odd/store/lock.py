"""Lock of a run, taken to write or remove it."""

from pathlib import Path

from filelock import FileLock, Timeout

from odd.errors import OddError, os_problem


def take_lock(work: Path, run_id: str) -> FileLock:
    """Take the lock of a run; the operating system releases it however the process ends.

    Args:
        work: work file of the run; the lock file is next to it.
        run_id: id of the run, for the error message.

    Raises:
        OddError: another process has the lock, or its directory cannot be written.
    """
    try:
        work.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(work.with_suffix(".lock"), timeout=0, thread_local=False)
        lock.acquire()
    except Timeout:
        raise OddError(
            f"run {run_id} is being written by another process; wait for it to end or stop it, then try again"
        ) from None
    except OSError as error:
        raise os_problem(f"run {run_id}: {work.parent} cannot be written", error) from error
    return lock
