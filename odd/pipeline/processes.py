"""Which process a number means: numbers of processes are used again, their birth is not."""

import os
import subprocess
from contextlib import suppress
from pathlib import Path

JOB_FOLDER = "ODD_JOB_FOLDER"
"""Environment variable by which a job of the dashboard tells its process where the job is kept."""


def birth(pid: int) -> str | None:
    """When a process began, as a text that no other process with this number has; None if it does not run.

    A process that has ended but was not waited for does not run.
    """
    if Path("/proc/self/stat").exists():
        try:
            # the name of the program stands in brackets and may hold anything
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{_boot()}-{fields[19]}"
    shown = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return None if len(shown) < 2 or shown[0].startswith("Z") else shown[1].strip()


def _boot() -> str:
    """Names this start of the machine: ticks since then mean nothing after the next one."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def own_birth() -> str | None:
    """Birth of this process."""
    return birth(os.getpid())


def runs(pid: object, born: object) -> bool:
    """Whether the process with this number and birth, as some file has kept them, still runs."""
    return isinstance(pid, int) and isinstance(born, str) and 0 < pid < 2**31 and birth(pid) == born
