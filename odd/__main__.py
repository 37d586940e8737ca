"""The command line: `odd COMMAND`, or `python -m odd COMMAND`."""

import gc
import signal
import sys

import typer

from odd.cli import app
from odd.errors import OddError

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


def _leave(*_: object) -> None:
    """Exit on the first SIGTERM; a second one must not interrupt the publication of finished work."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    """Run the command line; print errors that the user can fix as one line, without a traceback."""
    signal.signal(signal.SIGTERM, _leave)
    # torch and transformers create a million long-lived objects: scanning them as often as Python does by default
    # takes a fifth of their import time
    gc.set_threshold(100_000)
    try:
        # Typer turns Ctrl-C into this value; all commands return None
        status = app(standalone_mode=False) or 0
    except OddError as error:
        print(f"error: {error}", file=sys.stderr)
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
