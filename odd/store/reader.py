"""Read a published run.

A published file is never modified, only replaced. So a reader sees the state that it opened for as long as it is open;
`changed` reports whether there is a newer one.
"""

from pathlib import Path
from typing import Any, Self

import pandas as pd

from odd.store.attach import attach, check_run, create_safe_views, explained
from odd.store.files import signature_at
from odd.store.frames import from_duckdb
from odd.store.queries import named_query


class RunReader:
    """A published run file, opened read-only as untrusted input.

    Several threads may query one reader.

    Args:
        path: path of the file.

    Raises:
        OddError: the file does not exist, is not a run, is damaged, or has another schema version.
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
        with explained(self.path), self._connection.cursor() as cursor:
            return from_duckdb(cursor.execute(sql, params).df())

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

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()
