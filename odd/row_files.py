"""Rows of JSON Lines and Parquet files that anybody may have written.

What a file may cost is bounded before it is paid: bytes of the file (`odd.untrusted.LARGEST`), characters of a line,
rows, columns and values. A small Parquet file can expand to any size.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from odd.errors import OddError
from odd.parquet_footer import count_values
from odd.text import is_unicode, parse_json
from odd.untrusted import LARGEST, check_file

LONGEST_LINE = 1 << 24
"""Characters of a line of JSON or a cell of CSV."""
MOST_ROWS, MOST_COLUMNS, MOST_VALUES = 1_000_000, 1000, 1 << 26
"""Rows, columns, and values of a table, counting those in lists."""
BATCH = 16
"""Rows of a Parquet file that are in memory in its own format; few, as each may refer to a long text."""

UTF_16 = ("\udcff\udcfe", "\udcfe\udcff")
"""Byte order marks of UTF-16, read as UTF-8."""

Row = tuple[str, Any]
"""Where a row is, such as "questions my.jsonl, line 3", and the row."""


@dataclass(frozen=True)
class Damaged:
    """A line that is damaged, as by a crash of its writer, and what is wrong with it."""

    reason: str


def json_rows(what: str, path: Path, keep_damaged: bool = False) -> Iterator[Row]:
    """Yield the rows of a JSON Lines file, which may be compressed by gzip.

    Args:
        what: what the file contains, such as "questions", for messages.
        path: the file.
        keep_damaged: yield `Damaged` in place of a line with zero bytes or bytes that are not UTF-8, and of a last line
            that is cut, instead of raising an error.

    Raises:
        OddError: a line is not JSON or is too long, or there are too many.
        OSError: the file cannot be read.
    """
    check_file(path)
    number = rows = size = 0
    with _opened(path) as file:
        try:
            # not splitlines: a JSON string may contain other line breaks, such as U+2028
            while line := file.readline(LONGEST_LINE + 1):
                number, size = number + 1, size + len(line)
                place = f"{what} {path}, line {number}"
                if number == 1 and line.startswith(UTF_16):
                    raise OddError(f"{what} {path}: its encoding is UTF-16: save it as UTF-8")
                if size > LARGEST:  # of a compressed file
                    raise _too_large(f"{what} {path}", f"{LARGEST / 1e6:,.0f} MB when unpacked")
                if not line.strip():
                    continue
                if len(line) > LONGEST_LINE:
                    raise OddError(f"{place}: it has more than {LONGEST_LINE} characters: split it into several lines")
                row = _parsed(place, line, rows == 0, keep_damaged)
                if isinstance(row, Damaged) and not keep_damaged:
                    raise OddError(f"{place}: not JSON ({row.reason}): remove or repair that line")
                rows += 1
                check_counts(f"{what} {path}", rows, len(row) if isinstance(row, Mapping) else 1)
                yield place, row
        except (EOFError, zlib.error) as error:
            found = Damaged("the compressed file is cut or damaged")
            if not keep_damaged:
                raise OddError(f"{what} {path}, after line {number}: {found.reason}: copy it again") from error
            yield f"{what} {path}, after line {number}", found


def _opened(path: Path) -> TextIO:
    """Open a text file; bytes that are not UTF-8 become half characters."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape")
    return path.open(encoding="utf-8-sig", errors="surrogateescape")


def _parsed(place: str, line: str, is_first: bool, keep_damaged: bool) -> Any:
    """Parse a line; return `Damaged` for one that its writer did not mean.

    Args:
        place: where the line is, for messages.
        line: the line.
        is_first: whether no line before it has anything.
        keep_damaged: whether a line that starts like an object counts as cut even if others follow, as in a log of a
            job that was killed and started again.

    Raises:
        OddError: it is not JSON.
    """
    if not is_unicode(line):
        return Damaged("it has bytes that are not UTF-8")
    if "\0" in line:
        return Damaged("it has zero bytes, as after a crash")
    try:
        return parse_json(line)
    except ValueError as error:
        is_spread = is_first and line.strip() in ("[", "{")
        if isinstance(error, JSONDecodeError) and not is_spread and not line.endswith("\n") and _is_cut(line, error):
            return Damaged("the last line is cut, as when its writer was killed")
        if keep_damaged and isinstance(error, JSONDecodeError) and not is_first and line.startswith('{"'):
            return Damaged("it is not JSON, as after a crash")
        reason = error.msg if isinstance(error, JSONDecodeError) else error
        reason = "one list or object over several lines" if is_spread else reason
        raise OddError(f"{place}: not JSON ({reason}); put one JSON object per line") from error


def _is_cut(line: str, error: JSONDecodeError) -> bool:
    """Return whether a line would be JSON if it went on."""
    return error.msg.startswith("Unterminated") or error.pos >= len(line.rstrip())


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
            _check_size(f"{what} {path}", path, file.metadata)
            for batch in map(_unpacked, file.iter_batches(batch_size=BATCH)):
                size += batch.nbytes
                if size > LARGEST:
                    raise _too_large(f"{what} {path}", f"{LARGEST / 1e6:,.0f} MB when unpacked")
                for row in _shortest(batch).to_pylist():
                    number += 1
                    yield f"{what} {path}, row {number}", row
    # values of foreign types, such as times before the year 1, fail in many ways
    except (OSError, ValueError, ArithmeticError, RecursionError, MemoryError, pa.ArrowException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise OddError(f"{what} {path}: not Parquet that can be read ({reason}): write it again") from error


def _check_size(place: str, path: Path, found: pq.FileMetaData) -> None:
    """Check a Parquet file by its metadata."""
    check_counts(place, found.num_rows, found.num_columns)
    if sum(found.row_group(i).total_byte_size for i in range(found.num_row_groups)) > LARGEST:
        raise _too_large(place, f"{LARGEST / 1e6:,.0f} MB when unpacked")
    if count_values(path) > MOST_VALUES:
        raise _too_large(place, f"{MOST_VALUES:,} values")


def _unpacked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Repeat the values of columns that refer to a dictionary, so that the size of the batch is that of its rows."""
    columns = [one.dictionary_decode() if pa.types.is_dictionary(one.type) else one for one in batch.columns]
    if any("dictionary<" in str(one.type) for one in columns):
        raise ValueError("a dictionary inside lists or objects")
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _shortest(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch with the numbers that its columns of 32 bits were made from: 0.1, not 0.10000000149."""
    columns = [
        one.cast(pa.string()).cast(pa.float64()) if pa.types.is_float32(one.type) else one for one in batch.columns
    ]
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
