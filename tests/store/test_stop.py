"""A stop signal during a DuckDB statement."""

import signal
import sys

import duckdb
import pytest

from odd.store import RunWriter
from odd.store.attach import stoppable

LONG = "SELECT sum(sin(a.range * b.range)) FROM range(100000) AS a, range(10000) AS b"


@pytest.fixture
def stopped_soon():
    """Send the process a SIGTERM in a moment, as when a job is stopped."""
    before = signal.signal(signal.SIGALRM, lambda *_: sys.exit(143))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Failing:
    """A connection of which statements that start with a text fail, until the list of errors is used up."""

    def __init__(self, connection, start, errors):
        self._connection, self._start, self._errors = connection, start, errors

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def execute(self, sql, *values):
        if self._errors and sql.lstrip().startswith(self._start):
            raise self._errors.pop(0)
        return self._connection.execute(sql, *values)


# with a single thread; with others DuckDB may notice the signal late
def test_duckdb_answers_a_signal_in_the_middle_of_a_statement_by_an_error_that_becomes_a_stop(stopped_soon):
    with duckdb.connect(config={"threads": 1}) as connection, pytest.raises(KeyboardInterrupt), stoppable():
        connection.execute(LONG).fetchall()


@pytest.mark.parametrize("kind", ["UPDATE", "CHECKPOINT"])
def test_a_writer_that_is_stopped_in_the_middle_of_a_statement_can_still_publish(tmp_path, monkeypatch, kind):
    with RunWriter(tmp_path, "small-00000000") as writer:
        writer.set_meta("status", "running")
        with monkeypatch.context() as patch:
            interrupted = [RuntimeError("Query interrupted")]
            patch.setattr(writer, "_connection", Failing(writer._connection, kind, interrupted))
            with pytest.raises(KeyboardInterrupt):
                with writer.transaction():
                    writer.update("meta", {"value": "half"}, key="status")
                writer.publish()
        writer.publish()
        assert writer.meta()["status"] == ("running" if kind == "UPDATE" else "half")
        assert writer.published.exists()
