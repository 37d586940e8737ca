"""The open run, and a cache of its query results. Published files are replaced, never modified."""

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
"""Runs queries in the background while Python does other work."""


@dataclass(frozen=True)
class OpenRun:
    """One published state of a run file. Hashable by path, time, inode and size, so it can be a cache key."""

    path: Path
    signature: tuple[int, int, int]

    @property
    def run_id(self) -> str:
        """The file name without its suffix, as used in links."""
        return self.path.stem

    @property
    def meta(self) -> dict[str, str]:
        """The table `meta` as a dictionary."""
        return _reader(self).meta

    def check(self) -> None:
        """Check the whole content of the file.

        Raises:
            OddError: it is impossible, or the file is damaged.
        """
        _reader(self).verify()

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Return the cached rows of a named query. Shared by all sessions: copy before changing."""
        asked = _frozen_all(params)
        rows = _rows(self, name, asked)
        if rows.done() and rows.exception() is not None:  # errors can be temporary
            with _rows.cache_lock:
                _rows.cache.pop(_rows.cache_key(self, name, asked), None)
            rows = _rows(self, name, asked)
        return rows.result()

    def ask(self, name: str, /, **params: Any) -> None:
        """Start a query whose rows are needed soon."""
        _rows(self, name, _frozen_all(params))


def as_it_is(path: Path) -> OpenRun:
    """The file as it is now, not opened yet; cached results need no opening.

    Raises:
        OSError: the file does not exist.
    """
    status = path.stat()
    return OpenRun(path.absolute(), (status.st_mtime_ns, status.st_ino, status.st_size))


def open_run(path: Path) -> OpenRun:
    """Open the file as it is now.

    Raises:
        OddError: the file is not a readable run.
        FileNotFoundError: the file does not exist.
    """
    run = as_it_is(path)
    _reader(run)
    return run


def named_run(run_id: str) -> OpenRun:
    """Open a run by its id, without reading other files in the cache.

    Raises:
        OddError: the run does not exist or cannot be read.
    """
    if RUN_ID.fullmatch(run_id):
        with suppress(FileNotFoundError):
            return open_run(published_path(CACHE, run_id))
    raise OddError(f"There is no run {run_id!r} here: ask for its file and upload it on the Runs page")


def _frozen_all(params: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((key, tuple(value) if isinstance(value, list) else value) for key, value in params.items()))


def keeping(entries: int) -> Any:
    """Return a decorator that caches results of a function of OpenRuns, shared by all sessions: never modify them.

    Concurrent calls with the same arguments compute the result once. Streamlit's own cache hashes all arguments at
    every call, which took an eighth of the time of a page.

    Args:
        entries: number of results kept.
    """
    return lambda function: cached(LRUCache(entries), condition=Condition())(function)


kept = keeping(256)
"""Decorator that caches small results of a function of an OpenRun."""


# an evicted reader may still be in use by a session, so it is closed when its last reference is gone
@keeping(8)
def _reader(run: OpenRun) -> RunReader:
    return RunReader(run.path)


@keeping(256)
def _rows(run: OpenRun, name: str, params: tuple[tuple[str, Any], ...]) -> Future[pd.DataFrame]:
    lists = {key: list(value) if isinstance(value, tuple) else value for key, value in params}
    return _ASKED.submit(_reader(run).query, name, **lists)
