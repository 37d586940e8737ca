"""A publication under way: a thread copies the work file while its writer goes on.

What makes this safe is that the writer holds no checkpoint meanwhile. Between two checkpoints DuckDB leaves the header
of a database file and every block that the header refers to as they are: what is committed goes to the write-ahead
log, and large appends to blocks that were free. So the copy is the state at its beginning, whatever is written
meanwhile.
"""

import os
import threading
import time
from pathlib import Path

from odd.store.files import copy_atomically


class Publication:
    """The copy of a work file to the published one, in a thread that begins at once.

    Args:
        source: descriptor of the work file, whose last checkpoint is to be published.
        target: the published file.
    """

    def __init__(self, source: int, target: Path) -> None:
        """Begin."""
        self._source, self._target, self._size = source, target, os.fstat(source).st_size
        self._given_up = threading.Event()
        self._began, self._ended = time.monotonic(), 0.0
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._copy, name=f"publish {target.name}")
        self._thread.start()

    def _copy(self) -> None:
        try:
            copy_atomically(self._source, self._target, self._size, self._given_up.is_set)
        except OSError as error:
            self._error = error
        finally:
            self._ended = time.monotonic()

    @property
    def under_way(self) -> bool:
        """Whether the work file must still be left without a checkpoint."""
        return self._thread.is_alive()

    @property
    def seconds(self) -> float:
        """What it took; to be asked when it is over."""
        return self._ended - self._began

    def give_up(self) -> None:
        """End it, soon; the published file is the old or the new one. Errors are of no interest any more."""
        self._given_up.set()
        self._thread.join()

    def wait(self) -> None:
        """Wait until it is over.

        Raises:
            OSError: the copy failed; the last published file is untouched.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
