"""The exception whose message is meant for users, and what to do about errors of the operating system."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from odd.text import shortened, visible_text

LONGEST = 3000
"""Characters of a message."""


class OddError(Exception):
    """A problem the user can solve; its message is one line that names the thing and the remedy."""

    def __init__(self, message: str) -> None:
        """Make `message` one short line of visible characters: names and reasons in it may be from elsewhere."""
        super().__init__(visible_text(shortened(" ".join(message.splitlines()), LONGEST)))


class PassingError(OddError):
    """What stands in the way is not in the file, and may be gone at the next attempt."""


_OTHER_NAME = "choose another folder or name"
_CONNECTION = "check that its disk is connected"
_OWNER = "check who owns it and its folder"
REMEDIES = {
    errno.ENOSPC: "free disk space there",
    errno.EDQUOT: "free some of your quota there",
    errno.EFBIG: "raise the limit of file sizes (ulimit -f), or choose a file system for larger files",
    errno.EROFS: "choose a folder that can be written",
    errno.EIO: "check the disk",
    errno.ENOENT: "check that its folder exists",
    errno.EACCES: _OWNER,
    errno.EPERM: _OWNER,
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ENOTDIR: _OTHER_NAME,
    errno.EISDIR: _OTHER_NAME,
    errno.EEXIST: _OTHER_NAME,
    errno.ELOOP: _OTHER_NAME,
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "free memory",
    errno.ESTALE: _CONNECTION,
    errno.ENODEV: _CONNECTION,
    errno.ENXIO: _CONNECTION,
    errno.ENOTCONN: _CONNECTION,
    errno.ETIMEDOUT: _CONNECTION,
}
"""What to do about an error of the operating system, by its number. None of them means that a file is damaged."""


def os_problem(what: str, error: OSError | int) -> PassingError:
    """Return the error to raise when the operating system refuses something.

    Args:
        what: what could not be done, such as "x.csv cannot be written".
        error: the error, or its number.
    """
    number = error if isinstance(error, int) else error.errno
    if number in REMEDIES:
        return PassingError(f"{what} ({os.strerror(number)}): {REMEDIES[number]}")
    return PassingError(f"{what} ({getattr(error, 'strerror', None) or error}): choose another folder or name")


def os_error_in(text: str) -> int | None:
    """Return the number of the operating system's error that a library's message quotes; None if there is none."""
    return next((number for number in REMEDIES if os.strerror(number) in text), None)


@contextmanager
def writing(path: object) -> Iterator[None]:
    """Convert errors of the operating system inside to one line about the file or folder that is written.

    Raises:
        OddError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise os_problem(f"{path} cannot be written", error) from error
