"""A stop that comes while DuckDB works."""

import signal
import sys

import pytest

from odd.store import RunWriter

LONG = "SELECT sum(sin(a.range * b.range)) AS x FROM range(100000) AS a, range(100000) AS b"


@pytest.fixture
def stopped_soon():
    """The process is told to end in a moment, as a job is by SIGTERM."""
    before = signal.signal(signal.SIGALRM, lambda *_: sys.exit(143))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_stop_in_the_middle_of_a_statement_is_a_stop_and_the_writer_can_still_publish(tmp_path, stopped_soon):
    with RunWriter(tmp_path, "small-00000000") as writer:
        with pytest.raises(KeyboardInterrupt):
            writer.query(LONG)
        writer.publish()
        assert writer.published.exists()


def test_a_transaction_that_is_stopped_keeps_nothing(tmp_path, stopped_soon):
    with RunWriter(tmp_path, "small-00000000") as writer:
        with pytest.raises(KeyboardInterrupt), writer.transaction():
            writer.set_meta("half", "done")
            writer.query(LONG)
        assert "half" not in writer.meta()
