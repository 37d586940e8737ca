"""The command line: `odd COMMAND`, or `python -m odd COMMAND`."""

import gc
import signal
import sys

import typer

from odd.cli import app
from odd.errors import OddError


def _leave(*_: object) -> None:
    """End at the first SIGTERM; a second one must not cut short the publication of what was done."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    """Run the command line; an error that the user can mend is one line, without a traceback."""
    signal.signal(signal.SIGTERM, _leave)
    # torch and transformers make a million objects that stay: to look through them as often as Python does by default
    # takes a fifth of the time of their import
    gc.set_threshold(100_000)
    try:
        app(standalone_mode=False)
    except OddError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except typer.Exit as leave:
        return leave.exit_code
    except (typer.Abort, KeyboardInterrupt):
        print("stopped; finished work is kept, the same command goes on from there", file=sys.stderr)
        return 130
    except typer.TyperException as error:
        print(f"error: {error.format_message().rstrip('.')}; see odd --help", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
