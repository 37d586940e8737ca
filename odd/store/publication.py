"""Publication in the background: a thread copies the work file while its writer continues.

This is safe because the writer makes no checkpoint meanwhile. Between two checkpoints DuckDB changes neither the header
of a database file nor any block that the header refers to: commits go to the write-ahead log, and large appends to
free blocks. So the copy has the state of its start, whatever is written meanwhile. It is read to its end before it
replaces the published file.
"""

import os
import threading
import time
from functools import partial
from pathlib import Path

from odd.errors import OddError
from odd.store.attach import check_whole
from odd.store.files import copy_atomically


class Publication:
    """Copy of a work file to the published file, in a thread that starts at once.

    Args:
        source: descriptor of the work file; its last checkpoint is published.
        target: the published file.
    """

    def __init__(self, source: int, target: Path) -> None:
        self._source, self._target, self._size = source, target, os.fstat(source).st_size
        self._given_up = threading.Event()
        self._began, self._ended = time.monotonic(), 0.0
        self._error: OSError | OddError | None = None
        self._thread = threading.Thread(target=self._copy, name=f"publish {target.name}")
        self._thread.start()

    def _copy(self) -> None:
        try:
            given_up = self._given_up.is_set
            copy_atomically(self._source, self._target, self._size, partial(check_whole, given_up=given_up), given_up)
        except (OSError, OddError) as error:
            self._error = error
        finally:
            self._ended = time.monotonic()

    @property
    def under_way(self) -> bool:
        """Whether the copy is running, so that the work file must not be checkpointed."""
        return self._thread.is_alive()

    @property
    def seconds(self) -> float:
        """Duration of the copy; valid when it is finished."""
        return self._ended - self._began

    def give_up(self) -> None:
        """Cancel the copy and wait for its end; the published file is the old or the new one. Errors are ignored."""
        self._given_up.set()
        self._thread.join()

    def wait(self) -> None:
        """Wait for the end of the copy.

        Raises:
            OSError: the copy failed; the last published file is untouched.
            OddError: the copy cannot be read; the last published file is untouched.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
