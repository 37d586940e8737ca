"""Log of a job as plain text, without terminal control sequences."""

import os
import re
from pathlib import Path

from odd.untrusted import check_file

# CSI and OSC sequences, then other escapes and control characters
TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.|[\x00-\x08\x0b-\x1f\x7f]")
TAIL = 20_000


def tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of a log, from at most its last `TAIL` bytes; empty if there is no log."""
    try:
        check_file(path, largest=None)
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            text = file.read(TAIL).decode("utf-8", errors="replace")
    except OSError:
        return ""
    shown = [TERMINAL.sub("", line.rpartition("\r")[2]).rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join([line for line in shown if line][-lines:])


def last_line(path: Path) -> str:
    """Return the last non-empty line of a log, at most 500 characters of it."""
    return tail(path, 1)[:500]
