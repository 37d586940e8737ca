"""Names and places of run files, and the atomic copy by which a run is published.

`<cache>/<run_id>.duckdb` is a published run, `<cache>/work/<run_id>.duckdb` the file its writer works in. A run id is
checked before it is ever joined to a path.
"""

import contextlib
import os
import re
import shutil
from pathlib import Path

from odd.errors import OddError

RUN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,80}", re.ASCII)
SUFFIX = ".duckdb"


def check_run_id(run_id: str) -> str:
    """Return the run id.

    Raises:
        OddError: it is not 1 to 81 lower-case letters, digits and hyphens that begin with a letter or digit.
    """
    if not RUN_ID.fullmatch(run_id):
        raise OddError(
            f"{run_id[:100]!r} is not a run id: use lower-case letters, digits and hyphens, at most 81, "
            "beginning with a letter or a digit"
        )
    return run_id


def published_path(cache_dir: Path, run_id: str) -> Path:
    """Where the published file of a run is.

    Raises:
        OddError: the run id is not valid.
    """
    return Path(cache_dir) / f"{check_run_id(run_id)}{SUFFIX}"


def work_path(cache_dir: Path, run_id: str) -> Path:
    """Where the work file of a run is.

    Raises:
        OddError: the run id is not valid.
    """
    return Path(cache_dir) / "work" / f"{check_run_id(run_id)}{SUFFIX}"


def spill_of(path: Path) -> Path:
    """Directory in which DuckDB puts what does not fit into memory while it has the file open."""
    return path.with_name(f"{path.name}.spill")


def leftovers(target: Path) -> list[Path]:
    """Temporary files and directories that killed processes left beside a file."""
    found = [*target.parent.glob(f"{target.name}.tmp-*"), spill_of(target)]
    return sorted(path for path in found if path.exists())


def remove_leftovers(target: Path) -> None:
    """Remove them; to be called by the only writer."""
    for path in leftovers(target):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def log_of(path: Path) -> Path:
    """Where DuckDB keeps the write-ahead log of a file."""
    return path.with_name(f"{path.name}.wal")


def copy_atomically(source: int, target: Path) -> None:
    """Copy an open file to `target`, which at every moment is the old file or the whole new one.

    The source is a descriptor, not a path, and stays open: see `odd.store.writer`.

    Args:
        source: descriptor of the file to copy; its position is moved.
        target: file to replace.

    Raises:
        OSError: the copy failed; the temporary file is removed and `target` untouched.
    """
    temporary = target.with_name(f"{target.name}.tmp-{os.getpid()}")
    try:
        with open(source, "rb", closefd=False) as reading, open(temporary, "wb") as writing:
            reading.seek(0)
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            os.fsync(writing.fileno())
        # A log that somebody's own session left beside the old file would make the new one unreadable.
        log_of(target).unlink(missing_ok=True)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    """Make a rename survive a power cut, where the file system can; the file is in place either way."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
