"""The finished run, opened."""

import pytest

from odd.store import RunReader


@pytest.fixture(scope="module")
def run(finished):
    """Reader of the finished run."""
    with RunReader(finished[1]) as reader:
        yield reader
