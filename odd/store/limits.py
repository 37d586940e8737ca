"""Limits of what a run file may contain, checked before its rows are read.

DuckDB compresses a repeated value to almost nothing, so a file of a few megabytes may hold a million questions or a
text of 200 MB. The sizes come from the metadata of the file, so finding them costs the same whatever they are.

The environment variable `ODD_LIMITS` changes limits: `ODD_LIMITS=questions=50000,text=64000000 odd app`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
from pydantic import Field, ValidationError

from odd.errors import OddError
from odd.settings import Positive, Settings
from odd.store.schema import column_types, quote, tables

VARIABLE = "ODD_LIMITS"
WIDTHS = {"INTEGER": 4, "FLOAT": 4, "DOUBLE": 8, "BIGINT": 8, "BOOLEAN": 1}
"""Bytes of a value in memory; texts and lists take `POINTER` and their content."""
POINTER = 16
SMALL = 1 << 28
"""Bytes of content up to which a file may be compressed by any factor."""
ROW_LIMITS = {"meta": "settings", "questions": "questions", "teachers": "teachers", "screening_contexts": "teachers"}
"""Limit of the rows of a table; `rows` for all others."""
QUESTION_LIMITS = {"nodes": "nodes", "rollouts": "nodes"}
"""Limit of the rows of one question; `question_rows` for all others."""
Size = tuple[str, int, str]
"""What was measured, its size, and the name of its limit."""


class Limits(Settings):
    """The most that a run file may contain."""

    questions: Positive = Field(default=20_000, description="questions")
    teachers: Positive = Field(default=500, description="teachers, and contexts of a screening")
    settings: Positive = Field(default=10_000, description="rows of `meta`")
    rows: Positive = Field(default=500_000_000, description="rows of any other table")
    question_rows: Positive = Field(default=10_000_000, description="rows of one question in a table")
    nodes: Positive = Field(default=2_000_000, description="nodes or rollouts of one question")
    tokens: Positive = Field(default=262_144, description="tokens of a response, a path or a prompt")
    text: Positive = Field(default=16_000_000, description="bytes of a text")
    settings_text: Positive = Field(default=256_000_000, description="bytes of a value in `meta`")
    expansion: Positive = Field(default=100, description="size of the content in memory / size of the file")


def limits() -> Limits:
    """Return the limits, as changed by the environment.

    Raises:
        OddError: the environment variable is malformed.
    """
    return _parsed(os.environ.get(VARIABLE, ""))


@cache
def _parsed(text: str) -> Limits:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    try:
        return Limits.model_validate({name.strip(): value.strip() for name, _, value in pairs})
    except ValidationError as error:
        known = ", ".join(Limits.model_fields)
        raise OddError(f"{VARIABLE}={text[:80]!r}: write NAME=NUMBER,...; names: {known}") from error


def check_limits(connection: duckdb.DuckDBPyConnection, path: Path, *names: str) -> None:
    """Check that tables of the file attached as `run` are within limits.

    Args:
        connection: connection with the file attached.
        path: path of the file.
        *names: the tables; all by default.

    Raises:
        OddError: a limit is exceeded.
    """
    most = limits()
    for what, size, limit in _sizes(connection, path.stat().st_size, names or tuple(tables())):
        allowed = getattr(most, limit)
        if size > allowed:
            raise OddError(
                f"{path} has too many {what}: {size:,}, and {allowed:,} are read at most; if you trust the file, set "
                f"{VARIABLE}={limit}={size}"
            )


def _sizes(connection: duckdb.DuckDBPyConnection, file_size: int, names: tuple[str, ...]) -> Iterator[Size]:
    """Yield the sizes of tables; checking one bounds the cost of measuring the next ones."""
    rows = _rows(connection, names)
    for table, count in rows.items():
        yield f"rows in {table}", count, ROW_LIMITS.get(table, "rows")
    texts, lists = _longest_texts(connection, names), _lists(connection, names)
    for table, longest in [*texts.items(), *((column.table, column.longest_text) for column in lists)]:
        yield f"bytes in a text of {table}", longest, "settings_text" if table == "meta" else "text"
    content = sum(rows[table] * _row_width(table) for table in names) + sum(column.content for column in lists)
    if content + sum(rows[table] * longest * len(_texts(table)) for table, longest in texts.items()) > SMALL:
        content += sum(_bytes_of_texts(connection, table) for table in texts)
        yield "bytes of content per byte of the file", content // file_size, "expansion"
    most = limits()
    for table in sorted({column.table for column in lists if column.entries > most.tokens}):
        yield f"entries in a list of {table}", _longest_list(connection, table), "tokens"
    for table, count in rows.items():
        limit = QUESTION_LIMITS.get(table, "question_rows")
        if count > getattr(most, limit) and "question" in column_types(table):
            yield f"rows of one question in {table}", _most_rows_of(connection, table, "question"), limit
    if rows.get("path_tokens", 0) > most.tokens:
        yield "tokens of one path in path_tokens", _most_rows_of(connection, "path_tokens", "question, path"), "tokens"


def _row_width(table: str) -> int:
    return sum(WIDTHS.get(type_, POINTER) for type_ in column_types(table).values())


def _texts(table: str) -> list[str]:
    return [quote(name) for name, type_ in column_types(table).items() if type_ in ("VARCHAR", "BLOB")]


def _rows(connection: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> dict[str, int]:
    """Return the number of rows of each table."""
    counts = (f"SELECT '{table}', count(*) FROM run.main.{quote(table)}" for table in names)
    return dict(connection.execute(" UNION ALL ".join(counts)).fetchall())


def _longest_texts(connection: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> dict[str, int]:
    """Return the bytes of the longest text of each table, from the statistics of its columns."""
    longest = {
        table: ", ".join(f"coalesce(stats({name}).max_string_length::BIGINT, 0)" for name in _texts(table))
        for table in names
        if _texts(table)
    }
    selects = (
        f"(SELECT '{table}', greatest(0, {each}) FROM run.main.{quote(table)} LIMIT 1)"
        for table, each in longest.items()
    )
    return dict(connection.execute(" UNION ALL ".join(selects)).fetchall())


def _bytes_of_texts(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Return the bytes of all texts of a table, from the statistics of its columns."""
    total = " + ".join(f"coalesce(stats({name}).total_string_length::BIGINT, 0)" for name in _texts(table))
    return connection.execute(f"SELECT {total} FROM run.main.{quote(table)} LIMIT 1").fetchall()[0][0]


@dataclass(frozen=True)
class _Lists:
    """Size of a list column.

    Attributes:
        table: its table.
        longest_text: bytes of the longest text in a list.
        content: bytes of all entries.
        entries: bound on the entries of a list: those of all lists of a group of rows.
    """

    table: str
    longest_text: int
    content: int
    entries: int


def _lists(connection: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> list[_Lists]:
    """Measure the list columns of each table by the number of entries that the file stores."""
    stored = " UNION ALL ".join(
        f"SELECT '{table}' AS owner, * FROM pragma_storage_info('run.main.{table}')"
        for table in names
        if any(type_.endswith("[]") for type_ in column_types(table).values())
    )
    if not stored:
        return []
    sql = f"""
        WITH groups AS (
            SELECT owner, column_name, segment_type, sum(count)::BIGINT AS entries,
                coalesce(max(stats.max_string_length::BIGINT) FILTER (segment_type = 'VARCHAR'), 0) AS longest,
                coalesce(sum(stats.total_string_length::BIGINT) FILTER (segment_type = 'VARCHAR'), 0)::BIGINT AS text
            FROM ({stored}) WHERE segment_type <> 'VALIDITY' AND contains(column_path, ', 1]')
            GROUP BY owner, column_name, segment_type, row_group_id)
        SELECT owner, segment_type, max(longest), sum(entries)::BIGINT, sum(text)::BIGINT, max(entries)
        FROM groups GROUP BY owner, column_name, segment_type"""
    return [
        _Lists(table, longest, entries * WIDTHS.get(type_, POINTER) + text, most)
        for table, type_, longest, entries, text, most in connection.execute(sql).fetchall()
    ]


def _longest_list(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    lists = [quote(name) for name, type_ in column_types(table).items() if type_.endswith("[]")]
    longest = ", ".join(f"coalesce(max(len({name})), 0)" for name in lists)
    return connection.execute(f"SELECT greatest(0, {longest}) FROM run.main.{quote(table)}").fetchall()[0][0]


def _most_rows_of(connection: duckdb.DuckDBPyConnection, table: str, columns: str) -> int:
    """Return the most rows of a table with the same values in some columns."""
    counts = f"SELECT count(*) AS rows FROM run.main.{quote(table)} GROUP BY {columns}"
    return connection.execute(f"SELECT max(rows) FROM ({counts})").fetchall()[0][0]
