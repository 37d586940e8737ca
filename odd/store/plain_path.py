"""Paths that DuckDB can open.

DuckDB takes a backslash for a separator and accepts only UTF-8. A file in a folder whose path has either is opened
through a symbolic link to the folder. The link leads to the same files, so locks, the log and the spill directory next
to the file work as for any other.

DuckDB also inserts the `.wal` of a write-ahead log before the first `?` of a path, even of one behind a link. So a file
in such a folder can be read, but not written.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from odd.errors import OddError


def plain_path(path: Path) -> Path:
    """Return an absolute path of a file that DuckDB can open.

    Raises:
        OddError: the name of the file itself cannot be opened by DuckDB.
    """
    path = path.resolve()
    if _is_plain(path):
        return path
    link = _links() / hashlib.sha256(os.fsencode(path.parent)).hexdigest()[:16]
    if not _is_plain(link / path.name):
        raise OddError(f"{path} has a backslash or invalid UTF-8 in its name: rename it")
    with suppress(FileExistsError):
        link.symlink_to(path.parent)
    return link / path.name


def check_writable(path: Path) -> None:
    """Check that DuckDB can write a file.

    Raises:
        OddError: it cannot, because of the path.
    """
    if "?" in str(path.resolve()):
        raise OddError(f"{path}: DuckDB cannot write in a folder with a question mark in its path; choose another one")


def _is_plain(path: Path) -> bool:
    if os.sep == "/" and "\\" in str(path):
        return False
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for the links of this process, which is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="odd-")


def _links() -> Path:
    return Path(_folder().name)
