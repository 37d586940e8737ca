"""Reading files that anybody may have written: their kind and size are checked before their content is read."""

import errno
import os
import stat
from pathlib import Path

LARGEST = 256 << 20
"""Bytes of a file of settings, questions or test vectors beyond which it is not read."""

SMALL = 1 << 20
"""Bytes of a record of a job or of its progress beyond which it is not read."""


def check_file(path: Path, largest: int | None = LARGEST) -> None:
    """Check that a path leads to a regular file of bearable size; None for any size.

    Raises:
        OSError: it does not exist, is something else, such as a device or a pipe, or is too large.
    """
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is not a regular file", str(path))
    if largest is not None and found.st_size > largest:
        reason = f"it has {found.st_size / 1e6:,.0f} MB, more than the {largest / 1e6:,.0f} MB that are read"
        raise OSError(errno.EFBIG, reason, str(path))


def read_text(path: Path, encoding: str = "utf-8", largest: int = LARGEST) -> str:
    """Read a text file.

    Raises:
        OSError: as for `check_file`, or it cannot be read.
        UnicodeDecodeError: it has another encoding.
    """
    check_file(path, largest)
    return path.read_text(encoding=encoding)
