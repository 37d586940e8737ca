"""What users of a dashboard may change: everything, or nothing if it is read-only.

The rule is enforced where the change is made, below the pages; these only leave out what would be refused. Every change
is logged with its arguments, by the logger `odd.access`.
"""

import logging
import os
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from odd.errors import OddError
from odd.text import shortened

READ_ONLY = "ODD_READ_ONLY"
"""Environment variable of a dashboard that shows runs and changes nothing."""
LONGEST = 200
"""Characters of an argument in the log."""

P = ParamSpec("P")
Result = TypeVar("Result")
_log = logging.getLogger(__name__)


def log_changes() -> None:
    """Write a line with the time to standard error for each change from now on."""
    if not _log.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s change: %(message)s"))
        _log.addHandler(handler)
        _log.setLevel(logging.INFO)
        _log.propagate = False


def read_only() -> bool:
    """Whether this process changes nothing."""
    return os.environ.get(READ_ONLY, "") not in ("", "0")


def changes(describe: Callable[P, object]) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Decorate a function that changes what a cache contains, or starts or stops a process, for users of a dashboard.

    Args:
        describe: returns what the arguments name, for the log.
    """

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Result:
            what = function.__name__
            if read_only():
                raise OddError(f"this dashboard is read-only, so it does not {what.replace('_', ' ')}: ask who runs it")
            _log.info("%s %s", what, shortened(ascii(describe(*args, **kwargs)), LONGEST))
            return function(*args, **kwargs)

        guarded.changes_cache = True  # type: ignore[attr-defined]
        return guarded

    return decorate
