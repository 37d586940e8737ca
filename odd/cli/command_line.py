"""Executes the command of this process, and prints errors in one line."""

import sys

import typer

from odd.cli import app
from odd.errors import REMEDIES, OddError, os_problem


def execute() -> int:
    """Execute the command; print errors that the user can fix as one line, without a traceback.

    Returns:
        The exit status; Typer turns Ctrl-C into 130.

    Raises:
        KeyboardInterrupt: a question was answered by Ctrl-C.
    """
    try:
        return app(standalone_mode=False) or 0  # all commands return None
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
        return leave.exit_code
    except typer.Abort as abort:
        raise KeyboardInterrupt from abort
    except typer.TyperException as error:
        print(f"error: {error.format_message().rstrip('.')}; see odd --help", file=sys.stderr)
        return 2
