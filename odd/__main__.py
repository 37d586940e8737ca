"""The command line: `odd COMMAND`, or `python -m odd COMMAND`."""

import gc
import os
import signal
import sys
from io import TextIOWrapper

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


def _leave(*_: object) -> None:
    """Exit on the first SIGTERM; a second one must not interrupt the publication of finished work."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def _open_closed_streams() -> None:
    """Open the null device for closed standard streams, else a run file would get the number that libraries print to.

    A new file gets the lowest free number, so the order counts.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  # open to the end of the process


def main() -> int:
    """Run the command line and return its exit status; Ctrl-C gives one line."""
    signal.signal(signal.SIGTERM, _leave)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # paths need not be Unicode, and a terminal need not know all of it
            stream.reconfigure(errors="backslashreplace")
    # torch and transformers create a million long-lived objects: scanning them as often as Python does by default
    # takes a fifth of their import time
    gc.set_threshold(100_000)
    try:
        # Ctrl-C is answered from the start, and these imports take a second
        from odd.cli.command_line import execute

        status = execute()
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        print("stopped; finished work is kept, and the same command resumes from there", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
