"""Summaries of run files, so that a list of many runs opens few of them.

Opening a run file takes about 50 ms of CPU time. So what a list shows of it is kept beside it, in
`<cache>/summaries/<run_id>.json`, and in memory. The writer of a run writes its summary when it finishes; whoever
looks at a file without one writes it then. A summary counts only for the file whose signature it contains, and for this
version of run files; one that is missing, too long or malformed is made again. Files are replaced atomically and need
no lock: all processes write the same. Where the cache cannot be written, summaries are kept in memory only.

What is wrong with a file is kept in memory only; if the reason is not in the file, such as a lock, for a short time.
"""

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cachetools import LRUCache, TTLCache
from pydantic import BaseModel, ConfigDict

from odd.errors import OddError
from odd.store.attach import PassingError
from odd.store.facts import Facts, read_facts
from odd.store.files import Signature, check_run_id, signature_at, summary_path
from odd.store.reader import RunReader
from odd.store.schema import SCHEMA_VERSION
from odd.untrusted import read_text

LONGEST = 16 << 10
"""Bytes of a summary beyond which it is not kept."""
REMEMBERED = 1 << 16
"""Number of summaries kept in memory."""
PASSING = 5.0
"""Seconds for which a problem is remembered whose reason is not in the file."""

Key = tuple[str, Signature]
"""Absolute path and signature of a file; hard links share the signature."""
_REMEMBERED: LRUCache[Key, "Summary"] = LRUCache(REMEMBERED)
_PASSING: TTLCache[Key, "Summary"] = TTLCache(REMEMBERED, PASSING)
_LOCK = threading.Lock()


@dataclass(frozen=True)
class Summary:
    """What a list shows of a run file.

    Attributes:
        status: running, screened, finished or stopped; "unreadable" with a problem.
        problem: why the run cannot be opened, one line; None if it can.
        facts: contents of the run; None if they cannot be read.
    """

    status: str
    problem: str | None = None
    facts: Facts | None = None


class _Record(BaseModel):
    """Content of the file of a summary."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    schema_version: int
    signature: Signature
    status: str
    facts: Facts


def summary_of(path: Path, signature: Signature) -> Summary:
    """Return the summary of a run file; open the file and keep the summary if there is none yet.

    Args:
        path: path of the file.
        signature: signature of the file when it was listed.
    """
    known = known_summary(path, signature)
    if known is not None:
        return known
    summary, error = _read(path)
    if signature_at(path) != signature:  # replaced while it was read: it is listed anew next time
        return summary
    key = _key(path, signature)
    with _LOCK:
        (_PASSING if isinstance(error, PassingError) else _REMEMBERED)[key] = summary
    if error is None:
        _write(path, signature, summary)
    return summary


def known_summary(path: Path, signature: Signature) -> Summary | None:
    """Return the summary of a run file without opening the file; None if it is not known."""
    key = _key(path, signature)
    with _LOCK:
        known = _REMEMBERED.get(key) or _PASSING.get(key)
    if known is None:
        known = _kept(path, signature)
        if known is not None:
            with _LOCK:
                _REMEMBERED[key] = known
    return known


def _key(path: Path, signature: Signature) -> Key:
    return os.path.abspath(path), signature


def _read(path: Path) -> tuple[Summary, OddError | None]:
    """Open a run file; return its summary and the error if it could not be read completely."""
    try:
        check_run_id(path.stem)
        reader = RunReader(path)
    except OddError as error:
        return Summary("unreadable", str(error)), error
    with reader:
        status = reader.meta["status"]
        try:
            return Summary(status, facts=read_facts(reader, reader.meta)), None
        except OddError as error:
            return Summary(status), error


def _kept(path: Path, signature: Signature) -> Summary | None:
    """Return the summary beside a run file; None if there is none that fits the file."""
    with suppress(OddError, OSError, ValueError):
        text = read_text(summary_path(path.parent, path.stem), largest=LONGEST)
        record = _Record.model_validate_json(text)
        if record.schema_version == SCHEMA_VERSION and record.signature == signature:
            return Summary(record.status, facts=record.facts)
    return None


def _write(path: Path, signature: Signature, summary: Summary) -> None:
    """Write a summary beside its run file, unless it is too long or the cache cannot be written."""
    target = summary_path(path.parent, path.stem)
    scratch = target.with_name(f"{target.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    record = _Record.model_construct(
        schema_version=SCHEMA_VERSION, signature=signature, status=summary.status, facts=summary.facts
    )
    with suppress(OSError, ValueError):  # a summary that could not be written is made again when it is needed
        content = record.model_dump_json().encode()
        if len(content) > LONGEST:
            return
        target.parent.mkdir(exist_ok=True)
        try:
            scratch.write_bytes(content)
            os.replace(scratch, target)
        finally:
            scratch.unlink(missing_ok=True)
