"""The lock that makes a process the only one to write or remove a run."""

from pathlib import Path

from filelock import FileLock, Timeout

from odd.errors import OddError


def take_lock(work: Path, run_id: str) -> FileLock:
    """Take the lock of a run; the operating system frees it however the process ends.

    Args:
        work: the work file of the run, beside which the lock file lies.
        run_id: name of the run, for the message.

    Raises:
        OddError: another process has it, or its directory cannot be written.
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
        raise OddError(
            f"run {run_id}: {work.parent} cannot be written ({error.strerror}); choose another cache"
        ) from error
    return lock
