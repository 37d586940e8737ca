"""The command line: `odd COMMAND`, or `python -m odd COMMAND`."""

import gc
import signal
import sys
from io import TextIOWrapper

import typer

from odd.cli import app
from odd.errors import REMEDIES, OddError, os_problem

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


def _leave(*_: object) -> None:
    """Exit on the first SIGTERM; a second one must not interrupt the publication of finished work."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    """Run the command line; print errors that the user can fix as one line, without a traceback."""
    signal.signal(signal.SIGTERM, _leave)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # paths need not be Unicode, and a terminal need not know all of it
            stream.reconfigure(errors="backslashreplace")
    # torch and transformers create a million long-lived objects: scanning them as often as Python does by default
    # takes a fifth of their import time
    gc.set_threshold(100_000)
    try:
        # Typer turns Ctrl-C into this value; all commands return None
        status = app(standalone_mode=False) or 0
    except OddError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        problem = os_problem(f"{error.filename or 'the output'} cannot be used", error)
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except typer.Exit as leave:
        status = leave.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except typer.TyperException as error:
        print(f"error: {error.format_message().rstrip('.')}; see odd --help", file=sys.stderr)
        return 2
    if status == INTERRUPTED:
        print("stopped; finished work is kept, and the same command resumes from there", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
