"""Rows of JSON Lines and Parquet files that anybody may have written.

What a file may cost is bounded before it is paid: bytes of the file (`odd.untrusted.LARGEST`), characters of a line,
rows, columns and values. A small Parquet file can expand to any size.
"""

import gzip
from collections.abc import Iterator, Mapping
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from odd.errors import OddError
from odd.text import parse_json
from odd.untrusted import LARGEST, check_file

LONGEST_LINE = 1 << 24
"""Characters of a line of JSON or a cell of CSV."""
MOST_ROWS, MOST_COLUMNS, MOST_VALUES = 1_000_000, 1000, 1 << 26
"""Rows, columns, and values of a table, counting those in lists."""
BATCH = 16
"""Rows of a Parquet file that are in memory in its own format; few, as each may refer to a long text."""

Row = tuple[str, Any]
"""Where a row is, such as "questions my.jsonl, line 3", and the row."""


def json_rows(what: str, path: Path) -> Iterator[Row]:
    """Yield the rows of a JSON Lines file.

    Args:
        what: what the file contains, such as "questions", for messages.
        path: the file.

    Raises:
        OddError: a line is not JSON or is too long, or there are too many.
        OSError: the file cannot be read.
        UnicodeDecodeError: it is not UTF-8.
    """
    check_file(path)
    # not splitlines: a JSON string may contain other line breaks, such as U+2028
    with _opened(path) as file:
        number = rows = size = 0
        while line := file.readline(LONGEST_LINE + 1):
            number, size = number + 1, size + len(line)
            if size > LARGEST:  # of a compressed file
                raise _too_large(f"{what} {path}", f"{LARGEST / 1e6:,.0f} MB when unpacked")
            if not line.strip():
                continue
            place = f"{what} {path}, line {number}"
            if len(line) > LONGEST_LINE:
                raise OddError(f"{place}: it has more than {LONGEST_LINE} characters: split it into several lines")
            try:
                row = parse_json(line)
            except ValueError as error:
                reason = error.msg if isinstance(error, JSONDecodeError) else error
                if rows == 0 and line.strip() in ("[", "{"):
                    reason = "one list or object over several lines"
                elif "\0" in line:
                    reason = "it has zero bytes, as after a crash: remove it"
                elif not line.endswith("\n") and file.readline(1) == "":
                    reason = "the last line is cut, as when its writer was killed: remove it"
                raise OddError(f"{place}: not JSON ({reason}); put one JSON object per line") from error
            rows += 1
            check_counts(f"{what} {path}", rows, len(row) if isinstance(row, Mapping) else 1)
            yield place, row


def _opened(path: Path) -> TextIO:
    """Open a text file, which may be compressed by gzip."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def parquet_rows(what: str, path: Path) -> Iterator[Row]:
    """Yield the rows of a Parquet file; see `json_rows`.

    Raises:
        OddError: it is not Parquet, or too large.
        OSError: the file is missing or is not a regular file.
    """
    check_file(path)
    size = number = 0
    try:
        with pq.ParquetFile(path) as file:
            _check_size(f"{what} {path}", file.metadata)
            for batch in map(_unpacked, file.iter_batches(batch_size=BATCH)):
                size += batch.nbytes
                if size > LARGEST:
                    raise _too_large(f"{what} {path}", f"{LARGEST / 1e6:,.0f} MB when unpacked")
                for row in batch.to_pylist():
                    number += 1
                    yield f"{what} {path}, row {number}", row
    # values of foreign types, such as times before the year 1, fail in many ways
    except (OSError, ValueError, ArithmeticError, RecursionError, MemoryError, pa.ArrowException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise OddError(f"{what} {path}: not Parquet that can be read ({reason}): write it again") from error


def _check_size(place: str, found: pq.FileMetaData) -> None:
    """Check a Parquet file by its metadata."""
    check_counts(place, found.num_rows, found.num_columns)
    groups = [found.row_group(i) for i in range(found.num_row_groups)]
    if sum(group.total_byte_size for group in groups) > LARGEST:
        raise _too_large(place, f"{LARGEST / 1e6:,.0f} MB when unpacked")
    if sum(group.column(i).num_values for group in groups for i in range(group.num_columns)) > MOST_VALUES:
        raise _too_large(place, f"{MOST_VALUES:,} values")


def _unpacked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Repeat the values of columns that refer to a dictionary, so that the size of the batch is that of its rows."""
    columns = [one.dictionary_decode() if pa.types.is_dictionary(one.type) else one for one in batch.columns]
    if any("dictionary<" in str(one.type) for one in columns):
        raise ValueError("a dictionary inside lists or objects")
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def check_counts(place: str, rows: int, columns: int) -> None:
    """Check the size of a table.

    Raises:
        OddError: it has too many rows or columns.
    """
    if rows > MOST_ROWS:
        raise _too_large(place, f"{MOST_ROWS:,} rows")
    if columns > MOST_COLUMNS:
        raise OddError(f"{place}: a row has {columns:,} columns, more than {MOST_COLUMNS:,}: keep those that are read")


def _too_large(place: str, bound: str) -> OddError:
    return OddError(f"{place}: it has more than {bound}: split it into several files")
