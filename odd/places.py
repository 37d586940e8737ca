"""Where the files beside the engine lie: around `odd/` in a checkout, inside of it in an installed package."""

from pathlib import Path

from odd.errors import OddError

_PACKED = Path(__file__).parent / "_dashboard"

PACKED = _PACKED.is_dir()
"""Whether this is an installed package rather than a checkout."""
DASHBOARD = _PACKED if PACKED else Path(__file__).parents[1]
"""Folder of `app.py`, `pages/`, the theme in `.streamlit/` and the example run in `cache/`."""


def example_run() -> Path | None:
    """File of the run that comes with ODD; None if it was removed."""
    return next(iter(sorted((DASHBOARD / "cache").glob("example-*.duckdb"))), None)


def the_example_run() -> Path:
    """The same where it must be there.

    Raises:
        OddError: it was removed.
    """
    if (file := example_run()) is None:
        raise OddError("the example run is not there any more: install odd again")
    return file
