"""Read a published run.

A published file is never modified, only replaced. So a reader sees the state that it opened for as long as it is open;
`changed` reports whether there is a newer one.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Self

import duckdb
import pandas as pd
from cachetools import LRUCache, cached

from odd.store.attach import attach, check_run, create_safe_views, explained, read_to_end
from odd.store.consistency import is_unexpected, problems, refuse
from odd.store.files import Signature, signature_at
from odd.store.frames import from_duckdb
from odd.store.limits import check_limits
from odd.store.queries import named_query
from odd.store.schema import stored_tables
from odd.store.signals import deferred


class RunReader:
    """A published run file, opened read-only as untrusted input.

    Several threads may query one reader.

    Args:
        path: path of the file.

    Raises:
        OddError: the file does not exist, is not a run, is damaged, has another schema version, is larger than the
            limits, or contains impossible rows.
    """

    def __init__(self, path: Path) -> None:
        """Open and check the file."""
        self.path = Path(path)
        self._open()

    def _open(self) -> None:
        """Open the file at the path; on failure keep the open one."""
        # Taken before opening, so a replacement in between is noticed; at worst `changed` is True once too often.
        signature = signature_at(self.path)
        connection = attach({"run": self.path})
        try:
            meta = check_run(connection, self.path)
            create_safe_views(connection, self.path, meta)
            _check_content(connection, self.path, signature, meta)
        except BaseException:
            connection.close()
            raise
        self._signature, self._connection, self._meta = signature, connection, meta

    @property
    def run_id(self) -> str:
        """Id of the run in its `meta`; the file may have been renamed."""
        return self._meta.get("run_id", "")

    @property
    def meta(self) -> dict[str, str]:
        """Content of the table `meta`."""
        return dict(self._meta)

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Run a named query.

        Args:
            name: one of `odd.store.queries.QUERIES`.
            **params: its parameters.

        Returns:
            The rows; for cells see `odd.store.frames`.

        Raises:
            OddError: the file is damaged, or the query needs too much memory.
            ValueError: there is no such query.
        """
        sql = named_query(name)
        # One cursor per query: an unfinished result blocks its connection, also for other threads.
        with self._connection.cursor() as cursor, explained(self.path), deferred(cursor):
            return from_duckdb(cursor.execute(sql, params).df())

    def problems(self) -> list[str]:
        """Return what is impossible in the content of the file, by all checks of `odd.store.consistency`.

        Raises:
            OddError: the file is damaged.
        """
        with self._connection.cursor() as cursor, explained(self.path), deferred(cursor):
            return problems(cursor, self._meta)

    def verify(self) -> None:
        """Check the whole content, and read every table to its end, which finds damage that no query has met yet.

        Raises:
            OddError: the content is impossible, or the file is damaged.
        """
        refuse(self.path, self.problems())
        with self._connection.cursor() as cursor:
            read_to_end(cursor, self.path, self._meta)

    def changed(self) -> bool:
        """Whether the file was replaced or removed since it was opened."""
        return signature_at(self.path) != self._signature

    def reopen(self) -> None:
        """Open the file that is now at the path.

        Raises:
            OddError: the file cannot be opened; the reader keeps its old state.
        """
        # The old connection is not closed here: another thread may still use it. It closes when that query ends.
        self._open()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, *_: object) -> None:
        """Close the file.

        Raises:
            OddError: an unexpected error leaves the block, and impossible content explains it.
        """
        try:
            if is_unexpected(error):
                refuse(self.path, self.problems())
        finally:
            self.close()


# once per file: a page may open the same file many times
@cached(LRUCache(1024), key=lambda connection, path, signature, meta: (path.absolute(), signature), lock=Lock())
def _check_content(
    connection: duckdb.DuckDBPyConnection, path: Path, signature: Signature | None, meta: Mapping[str, str]
) -> None:
    """Check the limits of a file, and the checks of its content that are cheap.

    Raises:
        OddError: it exceeds a limit, or its content is impossible.
    """
    with explained(path), deferred(connection):
        check_limits(connection, path, *stored_tables(meta))
        refuse(path, problems(connection, meta, thorough=False))
