"""A stop signal during a DuckDB statement."""

import signal
import sys

import duckdb
import pyarrow as pa
import pytest

from odd.store import RunWriter
from odd.store.signals import STOPPING, deferred, stoppable

LONG = "SELECT sum(sin(a.range * b.range)) FROM range(100000) AS a, range(10000) AS b"


class Interrupting:
    """Rows whose reading by DuckDB is interrupted by a signal."""

    def __init__(self, number):
        self.number = number

    def __arrow_c_stream__(self, requested_schema=None):
        signal.raise_signal(self.number)
        return pa.table({"x": [1, 2]}).__arrow_c_stream__(requested_schema)


@pytest.fixture
def handlers():
    """Handlers as those of a run."""
    before = {number: signal.getsignal(number) for number in (*STOPPING, signal.SIGALRM)}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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


class Signalling:
    """A connection that receives SIGTERM in one of its calls."""

    def __init__(self, connection, call):
        self._connection, self._call = connection, call

    def __getattr__(self, name):
        def called(*values):
            result = getattr(self._connection, name)(*values)
            signal.raise_signal(signal.SIGTERM)
            return result

        return called if name == self._call else getattr(self._connection, name)


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


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_while_duckdb_calls_python_is_answered_after_the_statements(handlers, number, raised):
    own = signal.getsignal(number)
    with duckdb.connect() as connection:
        with pytest.raises(duckdb.Error, match=raised.__name__):  # what it would be
            connection.register("rows", Interrupting(number))
        with pytest.raises(raised), deferred(connection):
            connection.register("rows", Interrupting(number))
        assert signal.getsignal(number) is own
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_signal_interrupts_a_long_statement_and_is_what_the_caller_sees(handlers):
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with duckdb.connect(config={"threads": 1}) as connection, pytest.raises(SystemExit) as stop, deferred(connection):
        connection.execute(LONG).fetchall()
    assert stop.value.code == 143


@pytest.mark.parametrize("act", ["begin", "commit", "execute", "register"])
def test_a_writer_that_is_stopped_in_any_statement_of_a_transaction_can_still_publish(
    tmp_path, monkeypatch, handlers, act
):
    with RunWriter(tmp_path, "small-00000000") as writer:
        with monkeypatch.context() as patch:
            patch.setattr(writer, "_connection", Signalling(writer._connection, act))
            with pytest.raises(SystemExit), writer.transaction():
                writer.insert("vocabulary", [{"token": 1, "text": "a", "bytes": b"a"}])
        with writer.transaction():
            writer.set_meta("status", "stopped")
        writer.publish()
        assert len(writer.query("FROM vocabulary")) == (act == "commit")
        assert writer.published.exists()
