"""The run that is open, and the cache before its queries. Published files are replaced, never changed."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import Any

import pandas as pd
from cachetools import LRUCache, cached

from odd.config import default_cache
from odd.errors import OddError
from odd.store import RUN_ID, RunReader, published_path

CACHE = default_cache()
_ASKED = ThreadPoolExecutor(4, thread_name_prefix="query")
"""Where queries run: DuckDB plans and answers one while Python does something else."""


@dataclass(frozen=True)
class OpenRun:
    """One published state of a run file. Hashable by what it is, so that results of it can be kept."""

    path: Path
    signature: tuple[int, int, int]

    @property
    def run_id(self) -> str:
        """Name of the file without its ending, by which links name it."""
        return self.path.stem

    @property
    def meta(self) -> dict[str, str]:
        """The table `meta`."""
        return _reader(self).meta

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Rows of a named query, kept until memory is needed. Shared by all sessions: copy before changing."""
        asked = _frozen_all(params)
        rows = _rows(self, name, asked)
        if rows.done() and rows.exception() is not None:  # an error may pass
            with _rows.cache_lock:
                _rows.cache.pop(_rows.cache_key(self, name, asked), None)
            rows = _rows(self, name, asked)
        return rows.result()

    def ask(self, name: str, /, **params: Any) -> None:
        """Begin a query whose rows are wanted soon."""
        _rows(self, name, _frozen_all(params))


def as_it_is(path: Path) -> OpenRun:
    """The file as it is now, not opened yet: what is kept of it answers without.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    return OpenRun(path.absolute(), (status.st_mtime_ns, status.st_ino, status.st_size))


def open_run(path: Path) -> OpenRun:
    """The file as it is now.

    Raises:
        OddError: it is not a run that can be read.
        FileNotFoundError: there is no such file.
    """
    run = as_it_is(path)
    _reader(run)
    return run


def named_run(run_id: str) -> OpenRun:
    """The run of this name as it is now; other files of the cache are not looked at.

    Raises:
        OddError: there is none, or it cannot be read.
    """
    if RUN_ID.fullmatch(run_id):
        with suppress(FileNotFoundError):
            return open_run(published_path(CACHE, run_id))
    raise OddError(f"There is no run {run_id!r} here: ask for its file and upload it on the page Runs")


def _frozen_all(params: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, tuple(value) if isinstance(value, list) else value) for key, value in params.items()))


def keeping(entries: int) -> Any:
    """Decorator: so many results of a function of OpenRuns, shared by all sessions and therefore never to be changed.

    What several sessions ask for at once is made once. Streamlit's own cache makes a digest of all arguments at every
    use, which took an eighth of the time of a page.

    Args:
        entries: results that are kept.
    """
    return lambda function: cached(LRUCache(entries), condition=Condition())(function)


kept = keeping(256)
"""Decorator: small results of a function of an OpenRun."""


# a reader that is kept may be one that a session is still using, so it is closed by the last who forgets it
@keeping(8)
def _reader(run: OpenRun) -> RunReader:
    return RunReader(run.path)


@keeping(256)
def _rows(run: OpenRun, name: str, params: tuple[tuple[str, Any], ...]) -> Future[pd.DataFrame]:
    lists = {key: list(value) if isinstance(value, tuple) else value for key, value in params}
    return _ASKED.submit(_reader(run).query, name, **lists)
