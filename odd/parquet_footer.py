"""Number of values in a Parquet file, read from its footer.

pyarrow ends the process if it is asked for the metadata of a column of a damaged file, so it is not asked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TType
from thrift.transport.TTransport import TMemoryBuffer

MAGIC = b"PAR1"
LONGEST = 4 << 20
"""Bytes of a footer beyond which it is not read: it takes one or two seconds per MB."""
ROW_GROUPS, COLUMNS, METADATA, VALUES = 4, 1, 3, 5
"""Field numbers of FileMetaData.row_groups, RowGroup.columns, ColumnChunk.meta_data and ColumnMetaData.num_values."""


def count_values(path: Path) -> int:
    """Return the number of values in a file, over all columns and counting those in lists.

    Raises:
        OSError: the file cannot be read.
        ValueError: it does not end with a footer, or its footer is damaged or too large.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 8))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != MAGIC or length + 8 > size:
            raise ValueError("it does not end with a footer")
        if length > LONGEST:
            raise ValueError("it has too many row groups and columns: write larger row groups")
        file.seek(size - 8 - length)
        footer = file.read(length)
    protocol = _Protocol(TMemoryBuffer(footer), string_length_limit=length, container_length_limit=length)
    try:
        return sum(_values(protocol))
    except Exception as error:  # a damaged footer can fail in any way
        raise ValueError(f"its footer is damaged ({type(error).__name__})") from error


class _Protocol(TCompactProtocol):
    """The protocol of the footer, in which a text may be any bytes."""

    def readString(self) -> bytes:
        """Return a text, undecoded."""
        return cast(bytes, self.readBinary())


def _values(protocol: TCompactProtocol) -> Iterator[int]:
    """Yield the number of values of each chunk of a column."""
    for _ in _elements(protocol, ROW_GROUPS):
        for _ in _elements(protocol, COLUMNS):
            for _ in _fields(protocol, METADATA, TType.STRUCT):
                for _ in _fields(protocol, VALUES, TType.I64):
                    yield cast(int, protocol.readI64())


def _elements(protocol: TCompactProtocol, field: int) -> Iterator[None]:
    """Pause at each structure of a list in the next structure; the caller reads it whole."""
    for _ in _fields(protocol, field, TType.LIST):
        kind, count = cast(tuple[int, int], protocol.readListBegin())
        if kind != TType.STRUCT:
            raise ValueError("not a list of structures")
        for _ in range(count):
            yield
        protocol.readListEnd()


def _fields(protocol: TCompactProtocol, field: int, kind: int) -> Iterator[None]:
    """Pause at a field of the next structure, for the caller to read its value, and skip all others."""
    protocol.readStructBegin()
    while True:
        _, found, number = cast(tuple[None, int, int], protocol.readFieldBegin())
        if found == TType.STOP:
            break
        if (number, found) == (field, kind):
            yield
        else:
            protocol.skip(found)
        protocol.readFieldEnd()
    protocol.readStructEnd()
