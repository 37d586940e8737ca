"""The runs of a cache, listed without opening their files.

A listing is one pass over the folder. Status, problem and facts of a run come from its summary (`odd.store.summaries`)
when they are first asked for, so callers should ask only for those of the runs that they show.
"""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from odd.store.facts import Facts
from odd.store.files import SUFFIX, Signature, published_path, signature_at, signature_of
from odd.store.summaries import Summary, known_summary, summary_of


@dataclass(frozen=True)
class RunInfo:
    """A run file in the cache.

    Attributes:
        folder: folder of the file.
        run_id: file name without suffix; a valid run id if there is no `problem`.
        signature: signature of the file when it was listed.
    """

    folder: Path
    run_id: str
    signature: Signature

    @property
    def path(self) -> Path:
        """Path of the file; not stored, as making 10,000 paths takes half the time of listing them."""
        return self.folder / f"{self.run_id}{SUFFIX}"

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.signature[2]

    @property
    def mtime(self) -> float:
        """Time of publication, seconds since 1970."""
        return self.signature[0] / 1e9

    @cached_property
    def summary(self) -> Summary:
        """Summary of the file, which is opened if it has none."""
        return summary_of(self.path, self.signature)

    @property
    def is_read(self) -> bool:
        """Whether its summary is known, so that status, problem and facts need no opening of the file."""
        return "summary" in vars(self) or known_summary(self.path, self.signature) is not None

    @property
    def status(self) -> str:
        """Running, screened, finished or stopped; "unreadable" with a problem."""
        return self.summary.status

    @property
    def problem(self) -> str | None:
        """Why the run cannot be opened, one line; None if it can."""
        return self.summary.problem

    @property
    def facts(self) -> Facts | None:
        """Contents of the run; None if they cannot be read."""
        return self.summary.facts


def list_runs(cache_dir: Path) -> list[RunInfo]:
    """List all published runs, newest first, without opening them."""
    folder, found = Path(cache_dir), []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and (signature := _signature(entry)) is not None:
                    found.append(RunInfo(folder, entry.name.removesuffix(SUFFIX), signature))
    except OSError:
        return []  # there is no such folder
    return sorted(found, key=lambda info: (-info.signature[0], info.run_id))


def _signature(entry: os.DirEntry[str]) -> Signature | None:
    try:
        return signature_of(entry.stat())
    except OSError:
        return None  # removed since, or a link to nothing


def run_at(cache_dir: Path, run_id: str) -> RunInfo | None:
    """Return a published run, without opening it; None if there is none.

    Raises:
        OddError: the run id is not valid.
    """
    signature = signature_at(published_path(cache_dir, run_id))
    return None if signature is None else RunInfo(Path(cache_dir), run_id, signature)


def read_for(infos: Iterable[RunInfo], seconds: float) -> list[RunInfo]:
    """Read runs without a summary, in their order, for a limited time; return those that are still unread.

    Args:
        infos: the runs.
        seconds: time after which no further file is opened.
    """
    end = time.monotonic() + seconds
    unread = [info for info in infos if not info.is_read]
    for number, info in enumerate(unread):
        if time.monotonic() >= end:
            return unread[number:]
        summary_of(info.path, info.signature)
    return []


def newest_finished(cache_dir: Path, most: int) -> list[RunInfo]:
    """Return the newest finished runs.

    Args:
        cache_dir: folder of the run files.
        most: number of runs returned, and of files opened for it, at most.
    """
    found: list[RunInfo] = []
    opened = 0
    for info in list_runs(cache_dir):
        if len(found) == most:
            break
        if not info.is_read:
            if opened == most:
                continue
            opened += 1
        if info.status == "finished":
            found.append(info)
    return found
