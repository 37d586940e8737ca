"""The command line: `odd COMMAND`, or `python -m odd COMMAND`."""

import gc
import signal
import sys
from io import TextIOWrapper

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


def _leave(*_: object) -> None:
    """Exit on the first SIGTERM; a second one must not interrupt the publication of finished work."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    """Run the command line and return its exit status; Ctrl-C gives one line."""
    signal.signal(signal.SIGTERM, _leave)
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
