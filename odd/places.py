"""Locations of the files that ship with the engine: next to `odd/` in a checkout, inside it in an installed package."""

from pathlib import Path

from odd.errors import OddError

_PACKED = Path(__file__).parent / "_dashboard"

PACKED = _PACKED.is_dir()
"""Whether this is an installed package rather than a checkout."""
DASHBOARD = _PACKED if PACKED else Path(__file__).parents[1]
"""Folder that contains `app.py`, `pages/`, the theme in `.streamlit/` and the example run in `cache/`."""


def example_run() -> Path | None:
    """Return the file of the run that ships with ODD, or None if it was removed."""
    return next(iter(sorted((DASHBOARD / "cache").glob("example-*.duckdb"))), None)


def the_example_run() -> Path:
    """Return the file of the example run.

    Raises:
        OddError: it was removed.
    """
    if (file := example_run()) is None:
        raise OddError("the example run was removed: install odd again")
    return file
