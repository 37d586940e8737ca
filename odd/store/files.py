"""Names and places of run files, and the atomic copy by which a run is published.

`<cache>/<run_id>.duckdb` is a published run, `<cache>/work/<run_id>.duckdb` the file its writer works in. A run id is
checked before it is ever joined to a path.
"""

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


def leftovers(target: Path) -> list[Path]:
    """Temporary files that killed processes left beside a file."""
    return sorted(target.parent.glob(f"{target.name}.tmp-*"))


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
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(target.parent)


def _sync_directory(directory: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
