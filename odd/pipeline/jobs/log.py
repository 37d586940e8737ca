"""What a job printed, as plain text: control sequences for terminals are taken out."""

import os
import re
from pathlib import Path

# CSI and OSC sequences, then what is left of other escapes and of control characters
TERMINAL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.|[\x00-\x08\x0b-\x1f\x7f]")
TAIL = 20_000


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log, at most `TAIL` bytes of it; empty if there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL))
            text = file.read(TAIL).decode("utf-8", errors="replace")
    except OSError:
        return ""
    shown = [TERMINAL.sub("", line.rpartition("\r")[2]).rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join([line for line in shown if line][-lines:])


def last_line(path: Path) -> str:
    """The last line of a log that is not empty, shortened."""
    return tail(path, 1)[:500]
