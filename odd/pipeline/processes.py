"""Which process a number means: numbers of processes are used again, but not with the same start time."""

import psutil

CLOCK = 2.0
"""Seconds by which two readings of one start time may differ: the system tells it by the second."""


def start_time(pid: int) -> float | None:
    """When a process started, seconds since 1970; None if it does not run.

    A process that has ended but was not waited for does not run.
    """
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def is_running(pid: int | None, started: float | None) -> bool:
    """Whether the process with this number and start time, as some file has kept them, still runs."""
    if pid is None or started is None or not 0 < pid < 2**31:
        return False
    now = start_time(pid)
    return now is not None and abs(now - started) < CLOCK
