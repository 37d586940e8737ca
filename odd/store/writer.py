"""Writing a run: a work file that one process writes, and the copies of it that are published.

Two locks meet here. DuckDB locks the work file for its process with a POSIX (fcntl) lock. Such a lock is dropped as
soon as the process closes *any* descriptor of the file, and copying the file to publish it means to open it: DuckDB 2
then silently loses its lock, as tried. So the writer opens one descriptor of its own after DuckDB has the file, reads
every copy through it and closes it only after DuckDB has closed the file. And because DuckDB's lock protects a file
rather than a run (the work file may be about to be replaced), each writer first takes a lock file beside it, which
the operating system frees however the process ends.

What survives a kill: DuckDB's write-ahead log holds every committed transaction of the work file, and the published
file is only ever replaced by a whole one.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb
import numpy as np
import pandas as pd

from odd.errors import OddError
from odd.store.attach import concerns_file, explain
from odd.store.files import check_run_id, copy_atomically, published_path, work_path
from odd.store.frames import expressions, from_duckdb, to_duckdb
from odd.store.lock import take_lock
from odd.store.queries import named_query
from odd.store.schema import column_types, quote
from odd.store.work import open_work

PUBLISH_SHARE = 50
"""Publishing waits this many times as long as it last took, so it costs at most 2 % of the time."""
PUBLISH_INTERVAL = 10.0
"""Seconds between publications at least."""


class RunWriter:
    """The one writer of a run; a context manager.

    Opens the work file of the run, or makes one: from the published file if there is one, else empty.

    Args:
        cache_dir: where published files are; made if it is missing.
        run_id: name of the run.

    Raises:
        OddError: the run id is not valid, another process writes the run, or a file cannot be opened.
    """

    def __init__(self, cache_dir: Path, run_id: str) -> None:
        """Take the lock and open the work file."""
        self.run_id = check_run_id(run_id)
        self.published = published_path(cache_dir, run_id)
        self.work = work_path(cache_dir, run_id)
        self._in_transaction = False
        self._published_at, self._publish_seconds = time.monotonic(), 0.0
        self._lock = take_lock(self.work, run_id)
        try:
            self._connection = open_work(self.work, self.published, run_id)
            self._descriptor = os.open(self.work, os.O_RDONLY)
        except BaseException:
            self._lock.release()
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the file or the disk into one line; mistakes in a statement stay what they are."""
        try:
            yield
        except duckdb.Error as error:
            if not concerns_file(error):
                raise
            raise explain(error, self.work) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is kept together, or nothing if an exception leaves it; may be nested."""
        if self._in_transaction:
            yield
            return
        self._connection.begin()
        self._in_transaction = True
        try:
            yield
            with self._explained():
                self._connection.commit()
        except BaseException:
            # A commit that failed, on a full disk say, has already rolled back.
            with suppress(duckdb.Error):
                self._connection.rollback()
            raise
        finally:
            self._in_transaction = False

    def insert(self, table: str, rows: pd.DataFrame | list[dict[str, Any]]) -> None:
        """Append rows; columns that are not given are NULL.

        Raises:
            OddError: the disk is full.
            ValueError: unknown table or column, or a value that its column cannot hold or must have.
        """
        frame = to_duckdb(table, rows)
        if len(frame) == 0:
            return
        columns, values = ", ".join(map(quote, frame.columns)), expressions(table, frame.columns)
        with self._explained():
            self._connection.register("new_rows", frame)
            try:
                self._execute(f"INSERT INTO {quote(table)} ({columns}) SELECT {values} FROM new_rows")
            except (duckdb.DataError, duckdb.IntegrityError) as error:
                raise ValueError(f"table {table}: {str(error).splitlines()[0]}") from error
            finally:
                self._connection.unregister("new_rows")

    def delete(self, table: str, **equals: Any) -> None:
        """Delete the rows whose columns equal these values; None equals NULL.

        Raises:
            ValueError: unknown table or column.
        """
        where, values = _where(table, equals)
        self._execute(f"DELETE FROM {quote(table)} WHERE {where}", values)

    def update(self, table: str, changes: Mapping[str, Any], **equals: Any) -> None:
        """Set scalar columns of the rows whose columns equal these values.

        Raises:
            ValueError: unknown table or column.
        """
        where, values = _where(table, equals)
        _where(table, changes)
        assignments = ", ".join(f"{quote(name)} = ?" for name in changes)
        changed = [_scalar(value) for value in changes.values()]
        self._execute(f"UPDATE {quote(table)} SET {assignments} WHERE {where}", [*changed, *values])

    def set_meta(self, key: str, value: str) -> None:
        """Set a row of `meta`."""
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value])

    def meta(self) -> dict[str, str]:
        """Content of `meta`."""
        with self._explained():
            return dict(self._connection.execute("SELECT key, value FROM meta").fetchall())

    def query(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Read with the caller's own SQL over tables and views; values go into `params`, never into the text."""
        with self._explained():
            return from_duckdb(self._connection.execute(sql, params).df())

    def named(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Read with a named query, as `RunReader.query` does."""
        return self.query(named_query(name), params)

    def _execute(self, sql: str, values: Sequence[Any] | None = None) -> None:
        """Run a statement that returns nothing of interest."""
        with self._explained():
            self._connection.execute(sql, values).fetchall()

    def publish(self) -> None:
        """Make the present state the published one.

        Raises:
            OddError: the copy failed, on a full disk say; the last published file is untouched.
            RuntimeError: inside a transaction.
        """
        if self._in_transaction:
            raise RuntimeError("publish inside a transaction: its rows are not part of the file yet")
        started = time.monotonic()
        try:
            self._connection.execute("CHECKPOINT run").fetchall()
            copy_atomically(self._descriptor, self.published)
        except (OSError, duckdb.Error) as error:
            raise OddError(self._why_not_published(error)) from error
        finally:
            self._published_at = time.monotonic()
            self._publish_seconds = self._published_at - started

    def _why_not_published(self, error: Exception) -> str:
        """One line: what failed, how much room it needs, what to do, and where the work is."""
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error).splitlines()[0]
        needed = os.fstat(self._descriptor).st_size // 1_000_000 + 1
        free = shutil.disk_usage(self.work.parent).free // 1_000_000
        return (
            f"run {self.run_id} could not be published to {self.published} ({reason}): it needs {needed} MB, {free} MB "
            f"are free; make room there and run it again, the finished work is kept in {self.work}"
        )

    def publish_due(self) -> bool:
        """Whether it is time to publish: often enough to watch the run, seldom enough to cost at most 2 %."""
        elapsed = time.monotonic() - self._published_at
        return elapsed >= max(PUBLISH_INTERVAL, PUBLISH_SHARE * self._publish_seconds)

    def close(self, remove_work: bool = False) -> None:
        """Close the work file and let others write the run.

        Args:
            remove_work: also remove the work file. Only for a run that is published whole: the next writer starts from
                the published file.
        """
        if self._lock.is_locked:
            self._connection.close()
            os.close(self._descriptor)
            if remove_work:
                self.work.unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the work file; nothing is published by this."""
        self.close()


def _where(table: str, equals: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Condition with placeholders, and its values; without any, all rows."""
    unknown = [name for name in equals if name not in column_types(table)]
    if unknown:
        raise ValueError(f"table {table} has no column {', '.join(unknown)}")
    condition = " AND ".join(f"{quote(name)} IS NOT DISTINCT FROM ?" for name in equals)
    return condition or "true", [_scalar(value) for value in equals.values()]


def _scalar(value: Any) -> Any:
    """A NumPy scalar as the Python one that DuckDB takes."""
    return value.item() if isinstance(value, np.generic) else value
