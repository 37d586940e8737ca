"""Files of rollout logs: JSON Lines, Parquet, torch files of slime, and Inspect's archives, as rows of columns."""

import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from odd.errors import OddError
from odd.row_files import MOST_VALUES, Row, check_counts, json_rows, parquet_rows
from odd.text import parse_json
from odd.untrusted import LARGEST, check_file

SUFFIXES = (".jsonl", ".parquet", ".pt", ".eval")
KINDS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file"
SAMPLES = "samples/"
"""Folder of the samples in an archive of Inspect."""


def log_files(names: tuple[str, ...]) -> Iterator[tuple[Path, bool]]:
    """Yield the files with these names, and those in the folders with these names and one level below.

    Yields:
        a file, and whether it was named itself.

    Raises:
        OddError: a folder contains no log.
    """
    for name in names:
        path = Path(name)
        if not os.path.isdir(path):
            yield path, True
            continue
        inside = sorted(
            file
            for pattern in ("*", "*/*")
            for file in path.glob(pattern)
            if _suffix(file) in SUFFIXES and file.is_file()
        )
        if not inside:
            raise OddError(f"import {name}: the folder contains no {KINDS}: give another")
        yield from ((file, False) for file in inside)


def _suffix(path: Path) -> str:
    """Return the suffix of a file, without that of compression."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def log_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a log. A damaged line is yielded as `odd.row_files.Damaged`.

    A file may be larger than its rows fit into memory, so they are not kept.

    Raises:
        OddError: it cannot be read.
    """
    try:
        match _suffix(path):
            case ".parquet":
                yield from parquet_rows("import", path)
            case ".pt":
                yield from _torch_rows(path)
            case ".eval":
                yield from _archive_rows(path)
            case _:
                yield from json_rows("import", path, keep_damaged=True)
    except OSError as error:
        raise OddError(
            f"import {path}: {error.strerror or error}: give a {KINDS}, or a folder of such files"
        ) from error


def _torch_rows(path: Path) -> Iterator[Row]:
    """Yield the samples of a dump by slime, with their `rollout_id`."""
    import torch

    check_file(path)
    with open(path, "rb") as file:  # a small archive can expand to any size
        if zipfile.is_zipfile(file) and sum(one.file_size for one in zipfile.ZipFile(file).infolist()) > LARGEST:
            raise OddError(f"import {path}: it has more than {LARGEST / 1e6:,.0f} MB when unpacked: split it")
    try:
        with warnings.catch_warnings(action="ignore"):  # about the version of a pickle
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # an untrusted file fails in any way; what it refers to is never executed
        found = re.search(r"GLOBAL (\S+)", str(error))
        reason = (
            f"it refers to {found[1]}" if found else (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        )
        raise OddError(
            f"import {path}: not a torch file of plain values ({reason}): objects in it could execute code, so it "
            "is not read; save its samples as dictionaries, or as JSON Lines"
        ) from error
    samples = found.get("samples") if isinstance(found, Mapping) else found
    if not isinstance(samples, list):
        raise OddError(f"import {path}: it contains no list of samples, as slime's --save-debug-rollout-data writes")
    step, values = found.get("rollout_id") if isinstance(found, Mapping) else None, 0
    for number, sample in enumerate(samples, start=1):
        check_counts(f"import {path}", number, len(sample) if isinstance(sample, Mapping) else 1)
        # a tensor may repeat a small storage any number of times
        tensors = (
            [one for one in sample.values() if isinstance(one, torch.Tensor)] if isinstance(sample, Mapping) else []
        )
        values += sum(one.numel() for one in tensors)
        if values > MOST_VALUES:
            raise OddError(f"import {path}: it has more than {MOST_VALUES:,} values in tensors: split it")
        row = {"rollout_id": step, **_plain(sample)} if isinstance(sample, Mapping) else sample
        yield f"import {path}, sample {number}", row


def _plain(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample with lists in place of tensors."""
    return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in sample.items()}


def _archive_rows(path: Path) -> Iterator[Row]:
    """Yield the samples of an archive that Inspect wrote."""
    check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            size, number = 0, 0
            for one in archive.infolist():
                if not (one.filename.startswith(SAMPLES) and one.filename.endswith(".json")):
                    continue
                size, number = size + one.file_size, number + 1
                if size > LARGEST:
                    raise OddError(f"import {path}: it has more than {LARGEST / 1e6:,.0f} MB when unpacked: split it")
                place = f"import {path}, {one.filename}"
                with archive.open(one) as file:  # the header need not tell the true size
                    text = file.read(one.file_size + 1)
                row = parse_json(text.decode("utf-8"))
                check_counts(f"import {path}", number, len(row) if isinstance(row, Mapping) else 1)
                yield place, row
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise OddError(
            f"import {path}: not an archive that can be read ({str(error)[:200] or type(error).__name__}): write it "
            "again, for example with inspect log convert"
        ) from error
