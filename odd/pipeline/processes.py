"""Identify processes by pid and start time, as pids are reused."""

import psutil

CLOCK = 2.0
"""Tolerance in seconds between two readings of one start time, which the system reports in whole seconds."""


def start_time(pid: int) -> float | None:
    """Return the start time of a process in seconds since 1970; None if it does not run. Zombies do not run."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_running(pid: int | None, started: float | None) -> bool:
    """Whether the process with this pid and start time still runs."""
    if pid is None or started is None or not 0 < pid < 2**31:
        return False
    now = start_time(pid)
    return now is not None and abs(now - started) < CLOCK
