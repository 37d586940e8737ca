"""Writer of a run: one process writes a work file and publishes copies of it.

There are two locks. DuckDB locks the work file for its process with a POSIX (fcntl) lock. Such a lock is released as
soon as the process closes *any* descriptor of the file, and copying the file to publish it means opening it: DuckDB 2
then silently loses its lock (verified). So the writer opens one descriptor after DuckDB has opened the file, makes all
copies through it, and closes it only after DuckDB has closed the file. And because DuckDB's lock protects a file rather
than a run (the work file may be about to be replaced), each writer first takes a lock file next to it, which the
operating system releases however the process ends.

After a kill, DuckDB's write-ahead log contains every committed transaction of the work file, and the published file is
complete, as it is only replaced by atomic rename.

During a run, a thread copies the file (`odd.store.publication`). There must be no checkpoint meanwhile, so DuckDB's
automatic checkpoints are disabled, and the writer checkpoints between its transactions.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb
import pandas as pd

from odd.errors import OddError, os_problem, writing
from odd.store.attach import DamagedError, check_whole, explained
from odd.store.consistency import is_unexpected, problems, refuse
from odd.store.files import (
    check_run_id,
    copy_atomically,
    log_of,
    move,
    published_path,
    signature_at,
    temporary_of,
    work_path,
)
from odd.store.frames import condition, from_duckdb, plain_columns, scalar, to_duckdb
from odd.store.lock import take_lock
from odd.store.plain_path import check_writable
from odd.store.publication import Publication
from odd.store.queries import named_query
from odd.store.schema import BLOCK_SIZE, quote
from odd.store.signals import deferred, stoppable
from odd.store.summaries import summary_of
from odd.store.work import describe, open_work, rewrite

PUBLISH_SHARE = 50
"""Minimum interval between publications as a multiple of the last duration, so they take at most 2% of the time."""
PUBLISH_INTERVAL = 10.0
"""Minimum seconds between publications within a question."""
MOST_FREE = 0.25
"""Free space of a finished file, as a share of the rest, above which the file is rewritten."""
LOG_LIMIT = 16 << 20
"""Size of the write-ahead log in bytes above which it is checkpointed."""


class RunWriter:
    """Exclusive writer of a run; a context manager.

    Opens the work file of the run, or creates it from the published file if there is one, else empty.

    Args:
        cache_dir: folder of the published files; created if missing.
        run_id: id of the run.

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
        check_writable(self.work)
        self._lock = take_lock(self.work, run_id)
        try:
            with writing(self.work):
                self._connection = open_work(self.work, self.published, run_id)
                self._descriptor = os.open(self.work, os.O_RDONLY)
        except BaseException:
            self._lock.release()
            raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything written inside, or nothing if an exception leaves the block; may be nested."""
        if self._in_transaction:
            yield
            return
        self._in_transaction = True
        try:
            with self._statement():
                self._connection.begin()
            yield
            with self._statement():
                self._connection.commit()
        except BaseException:
            # There is no transaction if it could not begin, or if its commit failed, e.g. on a full disk.
            with suppress(duckdb.Error):
                self._connection.rollback()
            raise
        finally:
            self._in_transaction = False
        self._shorten_log()

    def _shorten_log(self) -> None:
        """Checkpoint if the log is long, unless the file is being copied or a transaction is open."""
        if not self._in_transaction and not self._publishing() and self._log_size() > LOG_LIMIT:
            with self._told():
                self._checkpoint()

    def _log_size(self) -> int:
        """Return the size of the log in bytes; a checkpoint removes the log."""
        try:
            return log_of(self.work).stat().st_size
        except FileNotFoundError:
            return 0

    def insert(self, table: str, rows: pd.DataFrame | list[dict[str, Any]]) -> None:
        """Append rows; missing columns are NULL.

        Raises:
            OddError: the disk is full.
            ValueError: unknown table or column, or an invalid or missing value.
        """
        new = to_duckdb(table, rows)
        if len(new) == 0:
            return
        columns = ", ".join(map(quote, new.column_names))
        with self._statement():
            self._connection.register("new_rows", new)
            try:
                self._execute(f"INSERT INTO {quote(table)} ({columns}) SELECT {columns} FROM new_rows")
            except (duckdb.DataError, duckdb.IntegrityError) as error:
                raise ValueError(f"table {table}: {str(error).splitlines()[0]}") from error
            # not after an error, which a second one of this statement would hide
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
        """Return the content of `meta`."""
        with self._statement():
            return dict(self._connection.execute("SELECT key, value FROM meta").fetchall())

    def query(self, sql: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Run a SQL query over tables and views; values are passed in `params`, never in the text."""
        with self._statement():
            return from_duckdb(self._connection.execute(sql, params).df())

    def columns(self, sql: str, params: Sequence[Any]) -> dict[str, list[Any]]:
        """Run a query like `query`, and return its columns; lists of numbers are arrays, without a copy if possible."""
        with self._statement():
            return plain_columns(self._connection.sql(sql, params=params).to_arrow_table())

    def named(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Run a named query, like `RunReader.query`."""
        return self.query(named_query(name), params)

    def _execute(self, sql: str, values: Sequence[Any] | None = None) -> None:
        """Run a statement and discard its result."""
        with self._statement():
            self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _statement(self) -> Iterator[None]:
        """Convert errors of the work file or the disk to OddError, and answer signals when the statements are over."""
        with self._told(), deferred(self._connection):
            yield

    @contextmanager
    def _told(self, problem: str = "") -> Iterator[None]:
        """Convert errors of the work file or the disk to OddError; of damage, say what is still good.

        Args:
            problem: what it prevents, for the message.
        """
        try:
            with explained(self.work):
                yield
        except DamagedError as error:
            # of a copy that was read back, the work file is the source
            found = error.found.replace(str(temporary_of(self.published)), str(self.work))
            raise OddError(f"{problem}{found}; {describe(self.published)}; run again to continue") from error

    def publish(self) -> None:
        """Publish the current state, and return when done.

        Raises:
            OddError: the copy failed, e.g. on a full disk, or cannot be read; the last published file is untouched.
            RuntimeError: inside a transaction.
        """
        with self._publishable():
            self._checkpoint()
            copy_atomically(self._descriptor, self.published, os.fstat(self._descriptor).st_size, check_whole)

    def publish_meanwhile(self, interval: float = PUBLISH_INTERVAL) -> None:
        """Start to publish the current state in the background, if due.

        Publications are frequent enough to watch the run, take at most 2% of the time, and never overlap.

        Args:
            interval: minimum seconds since the last publication.

        Raises:
            OddError: an earlier copy failed, e.g. on a full disk, or cannot be read; the last published file is
                untouched.
            RuntimeError: inside a transaction.
        """
        if self._publishing():
            return
        if self._publication is not None:
            self._end_of(self._publication)
        if time.monotonic() - self._published_at >= max(interval, PUBLISH_SHARE * self._publish_seconds):
            self.begin_publication()

    def begin_publication(self) -> None:
        """Start to publish the current state in the background; cancel a running publication.

        Raises:
            OddError: the file cannot be read or written.
            RuntimeError: inside a transaction.
        """
        with self._publishable():
            self._checkpoint()
            self._publication = Publication(self._descriptor, self.published)

    def finish(self) -> None:
        """Publish the current state by moving the work file; write its summary and release the lock.

        There is no copy, unless much of the file is free after deletions.

        Raises:
            OddError: the file could not be moved, or cannot be read; the last published file is untouched.
            RuntimeError: inside a transaction.
        """
        with self._publishable():
            self._checkpoint()
            wasteful = self._is_wasteful()
            self._close_file()
            if wasteful:
                rewrite(self.work, self.run_id)
            move(self.work, self.published, check_whole)
        if (signature := signature_at(self.published)) is not None:
            summary_of(self.published, signature)
        self._lock.release()

    @contextmanager
    def _publishable(self) -> Iterator[None]:
        """Cancel a running copy, and convert errors inside to OddError."""
        if self._in_transaction:
            raise RuntimeError("publishing inside a transaction: its rows are not part of the file yet")
        self._give_up_publication()
        with self._told_unpublished():
            yield

    @contextmanager
    def _told_unpublished(self) -> Iterator[None]:
        """Convert errors of publishing to OddError."""
        problem = f"run {self.run_id} could not be published to {self.published}"
        try:
            with self._told(f"{problem}: "):
                yield
        except OSError as error:
            raise self._unpublished(problem, error) from error

    def _checkpoint(self) -> None:
        """Write all committed changes from the log to the file."""
        with stoppable(), deferred(self._connection):
            self._connection.execute("CHECKPOINT run").fetchall()

    def _is_wasteful(self) -> bool:
        """Whether much of the work file is free, which DuckDB does not return to the system, and a copy has room."""
        sql = "SELECT free_blocks, used_blocks FROM pragma_database_size() WHERE database_name = 'run'"
        free, used = (BLOCK_SIZE * int(blocks) for blocks in self.query(sql).iloc[0])
        return free > max(LOG_LIMIT, MOST_FREE * used) and shutil.disk_usage(self.work.parent).free > 2 * used

    def _publishing(self) -> bool:
        """Whether a copy is running."""
        return self._publication is not None and self._publication.under_way

    def _end_of(self, publication: Publication) -> None:
        """Record the duration of a finished copy.

        Raises:
            OddError: the copy failed.
        """
        self._publication = None
        self._published_at, self._publish_seconds = time.monotonic(), publication.seconds
        with self._told_unpublished():
            publication.wait()

    def _give_up_publication(self) -> None:
        """Cancel a running copy, because a later state is published or the file is closed."""
        if self._publication is not None:
            self._publication.give_up()
            self._publication = None

    def _unpublished(self, problem: str, error: OSError) -> OddError:
        """Return the error to raise: the cause, the space needed, the remedy, and where the work is kept."""
        if not self.work.exists():
            return os_problem(problem, error)
        kept = f"the finished work is kept in {self.work}"
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            return OddError(f"{os_problem(problem, error)}; {kept}")
        needed = self.work.stat().st_size // 1_000_000 + 1
        free = shutil.disk_usage(self.work.parent).free // 1_000_000
        return OddError(
            f"{problem} ({os.strerror(error.errno)}): it needs {needed} MB, {free} MB are free; free disk space and "
            f"run it again, {kept}"
        )

    def _close_file(self) -> None:
        """Close the work file: DuckDB before our descriptor, so that DuckDB keeps its lock until the end."""
        self._give_up_publication()
        self._connection.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def close(self) -> None:
        """Close the work file and release the lock."""
        if self._lock.is_locked:
            self._close_file()
            self._lock.release()

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        """Close the work file without publishing.

        Raises:
            OddError: an unexpected error leaves the block, and impossible content explains it.
        """
        try:
            if is_unexpected(error) and self._lock.is_locked:
                with explained(self.work), deferred(self._connection):
                    refuse(self.work, problems(self._connection, self.meta()))
        finally:
            self.close()
