"""Writing a run: a work file that one process writes, and the copies of it that are published.

Two locks meet here. DuckDB locks the work file for its process with a POSIX (fcntl) lock. Such a lock is dropped as
soon as the process closes *any* descriptor of the file, and copying the file to publish it means to open it: DuckDB 2
then silently loses its lock, as tried. So the writer opens one descriptor of its own after DuckDB has the file, reads
every copy through it and closes it only after DuckDB has closed the file. And because DuckDB's lock protects a file
rather than a run (the work file may be about to be replaced), each writer first takes a lock file beside it, which
the operating system frees however the process ends.

What survives a kill: DuckDB's write-ahead log holds every committed transaction of the work file, and the published
file is only ever replaced by a whole one.

While a run goes on, a thread copies (`odd.store.publication`). It needs the file without a checkpoint meanwhile, so
DuckDB is told never to begin one by itself, and the writer checkpoints between its transactions.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb
import pandas as pd

from odd.errors import OddError
from odd.store.attach import explained, stoppable
from odd.store.files import check_run_id, copy_atomically, log_of, move, published_path, work_path
from odd.store.frames import condition, from_duckdb, scalar, to_duckdb
from odd.store.lock import take_lock
from odd.store.publication import Publication
from odd.store.queries import named_query
from odd.store.schema import quote
from odd.store.work import open_work

PUBLISH_SHARE = 50
"""Publishing waits this many times as long as it last took, so it costs at most 2% of the time."""
PUBLISH_INTERVAL = 10.0
"""Seconds between publications in the middle of a question at least."""
LOG_LIMIT = 16 << 20
"""Bytes of the write-ahead log from which on its content is brought into the file."""


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
        self._publication: Publication | None = None
        self._lock = take_lock(self.work, run_id)
        try:
            self._connection = open_work(self.work, self.published, run_id)
            self._descriptor = os.open(self.work, os.O_RDONLY)
        except BaseException:
            self._lock.release()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is kept together, or nothing if an exception leaves it; may be nested."""
        if self._in_transaction:
            yield
            return
        with explained(self.work):
            self._connection.begin()
        self._in_transaction = True
        try:
            yield
            with explained(self.work):
                self._connection.commit()
        except BaseException:
            # A commit that failed, on a full disk say, has already rolled back.
            with suppress(duckdb.Error):
                self._connection.rollback()
            raise
        finally:
            self._in_transaction = False
        self._shorten_log()

    def _shorten_log(self) -> None:
        """Checkpoint if the log has become long, unless the file is being copied or in the middle of a transaction."""
        log = log_of(self.work)
        if not self._in_transaction and not self._publishing() and log.exists() and log.stat().st_size > LOG_LIMIT:
            with explained(self.work):
                self._checkpoint()

    def insert(self, table: str, rows: pd.DataFrame | list[dict[str, Any]]) -> None:
        """Append rows; columns that are not given are NULL.

        Raises:
            OddError: the disk is full.
            ValueError: unknown table or column, or a value that its column cannot hold or must have.
        """
        new = to_duckdb(table, rows)
        if len(new) == 0:
            return
        columns = ", ".join(map(quote, new.column_names))
        with explained(self.work):
            self._connection.register("new_rows", new)
            try:
                self._execute(f"INSERT INTO {quote(table)} ({columns}) SELECT {columns} FROM new_rows")
            except (duckdb.DataError, duckdb.IntegrityError) as error:
                raise ValueError(f"table {table}: {str(error).splitlines()[0]}") from error
            finally:
                self._connection.unregister("new_rows")
        self._shorten_log()

    def delete(self, table: str, **equals: Any) -> None:
        """Delete the rows whose columns equal these values; None equals NULL.

        Raises:
            ValueError: unknown table or column.
        """
        where, values = condition(table, equals)
        self._execute(f"DELETE FROM {quote(table)} WHERE {where}", values)

    def update(self, table: str, changes: Mapping[str, Any], **equals: Any) -> None:
        """Set scalar columns of the rows whose columns equal these values.

        Raises:
            ValueError: unknown table or column.
        """
        where, values = condition(table, equals)
        condition(table, changes)
        assignments = ", ".join(f"{quote(name)} = ?" for name in changes)
        changed = [scalar(value) for value in changes.values()]
        self._execute(f"UPDATE {quote(table)} SET {assignments} WHERE {where}", [*changed, *values])

    def set_meta(self, key: str, value: str) -> None:
        """Set a row of `meta`."""
        self._execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value])

    def meta(self) -> dict[str, str]:
        """Content of `meta`."""
        with explained(self.work):
            return dict(self._connection.execute("SELECT key, value FROM meta").fetchall())

    def query(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Read with the caller's own SQL over tables and views; values go into `params`, never into the text."""
        with explained(self.work):
            return from_duckdb(self._connection.execute(sql, params).df())

    def named(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Read with a named query, as `RunReader.query` does."""
        return self.query(named_query(name), params)

    def _execute(self, sql: str, values: Sequence[Any] | None = None) -> None:
        """Run a statement that returns nothing of interest."""
        with explained(self.work):
            self._connection.execute(sql, values).fetchall()

    def publish(self) -> None:
        """Make the present state the published one, and return when it is.

        Raises:
            OddError: the copy failed, on a full disk say; the last published file is untouched.
            RuntimeError: inside a transaction.
        """
        with self._publishable():
            self._checkpoint()
            copy_atomically(self._descriptor, self.published, os.fstat(self._descriptor).st_size)

    def publish_meanwhile(self, interval: float = PUBLISH_INTERVAL) -> None:
        """Begin to publish the present state, if it is time to; the copy is made while the writer goes on.

        Often enough to watch the run, seldom enough to cost at most 2% of the time; never two at once.

        Args:
            interval: seconds that must have passed since the last publication.

        Raises:
            OddError: an earlier copy failed, on a full disk say; the last published file is untouched.
            RuntimeError: inside a transaction.
        """
        if self._publishing():
            return
        if self._publication is not None:
            self._end_of(self._publication)
        if time.monotonic() - self._published_at >= max(interval, PUBLISH_SHARE * self._publish_seconds):
            self.begin_publication()

    def begin_publication(self) -> None:
        """Begin to publish the present state instead of what was being published.

        Raises:
            OddError: the file cannot be read or written.
            RuntimeError: inside a transaction.
        """
        with self._publishable():
            self._checkpoint()
            self._publication = Publication(self._descriptor, self.published)

    def finish(self) -> None:
        """Publish the present state by giving away the work file, and let others write; nothing is copied.

        Raises:
            OddError: the file could not be moved; it is kept and holds the run.
            RuntimeError: inside a transaction.
        """
        with self._publishable():
            self._checkpoint()
            self._close_file()
            move(self.work, self.published)
        self._lock.release()

    @contextmanager
    def _publishable(self) -> Iterator[None]:
        """No copy is under way inside, and errors become one line."""
        if self._in_transaction:
            raise RuntimeError("publish inside a transaction: its rows are not part of the file yet")
        self._give_up_publication()
        try:
            yield
        except (OSError, duckdb.Error) as error:
            raise OddError(self._why_not_published(error)) from error

    def _checkpoint(self) -> None:
        """Bring everything that is committed into the file."""
        with stoppable():
            self._connection.execute("CHECKPOINT run").fetchall()

    def _publishing(self) -> bool:
        """Whether a copy is under way."""
        return self._publication is not None and self._publication.under_way

    def _end_of(self, publication: Publication) -> None:
        """Take note of how a copy ended."""
        self._publication = None
        self._published_at, self._publish_seconds = time.monotonic(), publication.seconds
        try:
            publication.wait()
        except OSError as error:
            raise OddError(self._why_not_published(error)) from error

    def _give_up_publication(self) -> None:
        """End the copy under way, because a later state is published or the file is closed."""
        if self._publication is not None:
            self._publication.give_up()
            self._publication = None

    def _why_not_published(self, error: Exception) -> str:
        """One line: what failed, how much room it needs, what to do, and where the work is."""
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error).splitlines()[0]
        needed = self.work.stat().st_size // 1_000_000 + 1
        free = shutil.disk_usage(self.work.parent).free // 1_000_000
        return (
            f"run {self.run_id} could not be published to {self.published} ({reason}): it needs {needed} MB, {free} MB "
            f"are free; make room there and run it again, the finished work is kept in {self.work}"
        )

    def _close_file(self) -> None:
        """Close the work file: DuckDB first, whose lock our descriptor keeps."""
        self._give_up_publication()
        self._connection.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def close(self) -> None:
        """Close the work file and let others write the run."""
        if self._lock.is_locked:
            self._close_file()
            self._lock.release()

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the work file; nothing is published by this."""
        self.close()
