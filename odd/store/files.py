"""Paths of run files, and the atomic copy that publishes a run.

`<cache>/<run_id>.duckdb` is the published file of a run, `<cache>/work/<run_id>.duckdb` its work file, and
`<cache>/summaries/<run_id>.json` its summary. A run id is always validated before it becomes part of a path.
"""

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from odd.errors import OddError

RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,80}", re.ASCII)
SUFFIX = ".duckdb"
PROGRESS_SUFFIX = ".progress.json"
Check = Callable[[Path], None]
"""Raises an error if a file must not be published."""
Signature = tuple[int, int, int]
"""(mtime_ns, inode, size), which change when a file is replaced."""
PIECE = 8 << 20
"""Bytes copied and synced to disk at a time; small, so that other writes do not wait long."""


def check_run_id(run_id: str) -> str:
    """Return the run id if it is valid.

    Raises:
        OddError: it is not 1 to 81 lower-case letters, digits and hyphens, starting with a letter or digit.
    """
    if not RUN_ID.fullmatch(run_id):
        raise OddError(
            f"{run_id[:100]!r} is not a run id: use lower-case letters, digits and hyphens, at most 81, "
            "starting with a letter or a digit"
        )
    return run_id


def published_path(cache_dir: Path, run_id: str) -> Path:
    """Return the path of the published file of a run.

    Raises:
        OddError: the run id is not valid.
    """
    return Path(cache_dir) / f"{check_run_id(run_id)}{SUFFIX}"


def work_path(cache_dir: Path, run_id: str) -> Path:
    """Return the path of the work file of a run.

    Raises:
        OddError: the run id is not valid.
    """
    return Path(cache_dir) / "work" / f"{check_run_id(run_id)}{SUFFIX}"


def progress_path(cache_dir: Path, run_id: str) -> Path:
    """Return the path of the progress file of a run.

    Raises:
        OddError: the run id is not valid.
    """
    return Path(cache_dir) / f"{check_run_id(run_id)}{PROGRESS_SUFFIX}"


def summary_path(cache_dir: Path, run_id: str) -> Path:
    """Return the path of the summary of a run.

    Raises:
        OddError: the run id is not valid.
    """
    return Path(cache_dir) / "summaries" / f"{check_run_id(run_id)}.json"


def signature_at(path: Path) -> Signature | None:
    """Return the signature of the file at a path; None if there is none, or something else such as a pipe."""
    try:
        return signature_of(os.stat(path))
    except OSError:
        return None


def signature_of(status: os.stat_result) -> Signature | None:
    """Return the signature in a result of `os.stat`; None if it is not that of a regular file."""
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def spill_of(path: Path) -> Path:
    """Return the directory where DuckDB spills to disk while the file is open."""
    return path.with_name(f"{path.name}.spill")


def temporary_of(target: Path) -> Path:
    """Return the path at which this process writes a file before it replaces `target`."""
    return target.with_name(f"{target.name}.tmp-{os.getpid()}")


def leftovers(target: Path) -> list[Path]:
    """Return the temporary files and directories that killed processes left next to a file."""
    found = [*target.parent.glob(f"{target.name}.tmp-*"), spill_of(target)]
    return sorted(path for path in found if path.exists())


def remove_leftovers(target: Path) -> None:
    """Remove the leftovers of a file. Only its writer may call this."""
    for path in leftovers(target):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def log_of(path: Path) -> Path:
    """Return the path of DuckDB's write-ahead log of a file."""
    return path.with_name(f"{path.name}.wal")


def copy_atomically(
    source: int, target: Path, size: int, check: Check, given_up: Callable[[], bool] = lambda: False
) -> None:
    """Copy an open file to `target` by atomic rename, after the copy has been checked.

    The source is a descriptor, not a path, and stays open: see `odd.store.writer`.

    Args:
        source: descriptor of the file to copy; its position does not change.
        target: file to replace.
        size: bytes to copy; the file may grow meanwhile.
        check: called with the copy before it replaces `target`.
        given_up: called between pieces; if it returns True, the copy stops and `target` is untouched.

    Raises:
        OSError: the copy failed, or `check` did; the temporary file is removed and `target` untouched.
    """
    temporary = temporary_of(target)
    try:
        with open(temporary, "wb", buffering=0) as writing:
            for start in range(0, size, PIECE):
                if given_up():
                    return
                _copy_piece(source, writing.fileno(), start, min(start + PIECE, size))
            os.fsync(writing.fileno())
        check(temporary)
        if given_up():
            return
        # A write-ahead log left next to the old file, e.g. by a DuckDB shell, would make the new one unreadable.
        log_of(target).unlink(missing_ok=True)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(target.parent)


def _copy_piece(source: int, target: int, start: int, stop: int) -> None:
    """Append bytes `start` to `stop` of a file to another, and sync them to disk."""
    while start < stop:
        read = os.pread(source, stop - start, start)
        if not read:
            raise OSError(errno.EIO, "the file shrank while it was copied")
        start += len(read)
        left = memoryview(read)
        while left:
            left = left[os.write(target, left) :]
    os.fsync(target)


def move(source: Path, target: Path, check: Check) -> None:
    """Check a closed file and move it to `target`; it is copied only if the two are on different file systems.

    Raises:
        OSError: the move failed, or `check` did; both files are unchanged.
    """
    check(source)
    try:
        log_of(target).unlink(missing_ok=True)
        os.replace(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with source.open("rb") as reading:
            copy_atomically(reading.fileno(), target, os.fstat(reading.fileno()).st_size, check)
        source.unlink()
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    """Sync a rename to disk, if the file system supports it; the file is in place either way."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
