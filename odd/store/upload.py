"""Import of a run file from elsewhere. The file is not trusted, and never overwrites anything.

The file is written under a temporary name that no list of runs shows, opened like any run file (`odd.store.attach`),
and read to its end, so that damage is found now; only then is it renamed.
"""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from odd.access import changes
from odd.errors import OddError, os_problem
from odd.store.files import check_run_id, log_of, published_path, work_path
from odd.store.lock import take_lock
from odd.store.reader import RunReader

CHUNK = 1 << 20


@changes(lambda cache_dir, source, name, limit: name)
def accept_run(cache_dir: Path, source: BinaryIO, name: str, limit: int) -> str:
    """Check a run file and move it into the cache under the run id in its `meta`.

    Args:
        cache_dir: folder of the published files; created if missing.
        source: content of the file.
        name: file name given by the sender, for messages only.
        limit: maximum size in bytes.

    Returns:
        The run id.

    Raises:
        OddError: the file is too large or not a readable run, the run exists already, or the disk is full; nothing is
            left behind.
    """
    cache_dir = Path(cache_dir)
    scratch = cache_dir / f".upload-{secrets.token_hex(8)}"
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        _copy(source, scratch, name, limit)
        run_id = _checked(scratch)
        _place(scratch, cache_dir, run_id)
    except OSError as error:
        raise os_problem(f"{name} could not be written to {cache_dir}", error) from error
    except OddError as error:
        raise OddError(str(error).replace(str(scratch.resolve()), name).replace(str(scratch), name)) from error
    finally:
        for left in (scratch, log_of(scratch)):
            with suppress(OSError):  # the original error has been reported
                left.unlink(missing_ok=True)
    return run_id


def _copy(source: BinaryIO, target: Path, name: str, limit: int) -> None:
    written = 0
    with target.open("xb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > limit:
                raise OddError(
                    f"{name} is larger than {limit // 1_000_000} MB: copy it into the cache folder by hand, or raise "
                    "server.maxUploadSize in .streamlit/config.toml"
                )
            file.write(chunk)


def _checked(path: Path) -> str:
    """Check a file, read it to its end, and return its run id."""
    with RunReader(path) as reader:
        reader.verify()
        return check_run_id(reader.run_id)


def _place(scratch: Path, cache_dir: Path, run_id: str) -> None:
    """Rename the file to its published name, unless a run with this id exists or is being written."""
    published, work = published_path(cache_dir, run_id), work_path(cache_dir, run_id)
    with take_lock(work, run_id):
        if published.exists() or work.exists():
            raise OddError(f"run {run_id} exists already and was not changed: delete it first to replace it")
        log_of(published).unlink(missing_ok=True)  # the log of a removed file would make this one unreadable
        scratch.rename(published)
