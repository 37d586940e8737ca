"""Rows of JSON Lines and Parquet files are read at a bounded cost, or refused in one line."""

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odd import row_files
from odd.errors import OddError
from odd.parquet_footer import count_values
from odd.row_files import LONGEST_LINE, MOST_COLUMNS, json_rows, parquet_rows


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    return path


def refused(rows, named):
    with pytest.raises(OddError, match=named) as caught:
        list(rows)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_lines_come_with_their_place(tmp_path):
    path = write(tmp_path / "a.jsonl", '\ufeff{"a": "\u2028"}\r\n\n  \n[1]')
    assert list(json_rows("log", path)) == [(f"log {path}, line 1", {"a": "\u2028"}), (f"log {path}, line 4", [1])]


def test_rows_of_parquet_come_with_their_place(tmp_path):
    pq.write_table(pa.table({"a": list(range(40))}), tmp_path / "a.parquet")
    rows = list(parquet_rows("log", tmp_path / "a.parquet"))
    assert [row["a"] for _, row in rows] == list(range(40))
    assert rows[-1][0] == f"log {tmp_path / 'a.parquet'}, row 40"


LINES = {
    "no JSON": ("{", "line 1: not JSON"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "101 levels": ("[" * 101 + "]" * 101, "nested too deeply"),
    "digits": ("9" * 5000, "too many digits"),
    "long line": ('"' + "x" * LONGEST_LINE + '"', "more than 16777216 characters"),
    "no line": (bytes(LONGEST_LINE + 1), "more than 16777216 characters"),
    "columns": (json.dumps(dict.fromkeys(map(str, range(MOST_COLUMNS + 1)))), "1,001 columns"),
}


@pytest.mark.parametrize(("content", "named"), LINES.values(), ids=LINES)
def test_a_line_that_costs_too_much_is_refused(tmp_path, content, named):
    refused(json_rows("log", write(tmp_path / "a.jsonl", content)), named)


def test_a_hundred_levels_are_read(tmp_path):
    assert len(list(json_rows("log", write(tmp_path / "a.jsonl", "[" * 100 + "]" * 100)))) == 1


def test_too_many_lines_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(row_files, "MOST_ROWS", 10)
    refused(json_rows("log", write(tmp_path / "a.jsonl", "{}\n" * 11)), "more than 10 rows")


def dictionary(values, text):
    return pa.DictionaryArray.from_arrays(pa.array([0] * values, pa.int32()), [text])


OFFSETS, NO_TEXT = pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")
TABLES = {
    "rows": (lambda: {"a": dictionary(1_000_001, "a")}, "more than 1,000,000 rows"),
    "columns": (lambda: {f"c{i}": [i] for i in range(MOST_COLUMNS + 1)}, "1,001 columns"),
    "one text a thousand times": (lambda: {"a": dictionary(1000, "a" * 5_000_000)}, "more than 268 MB"),
    "one text in a list": (
        lambda: {"a": pa.ListArray.from_arrays([0, 1000], dictionary(1000, "a" * 5_000_000))},
        "a dictionary inside",
    ),
    "long lists": (lambda: {"a": pa.ListArray.from_arrays([0, 70_000_000], pa.nulls(70_000_000))}, "67,108,864 values"),
    "time": (lambda: {"a": pa.array([2**50], pa.timestamp("ms"))}, "not Parquet that can be read"),
    "bytes as text": (
        lambda: {"a": pa.Array.from_buffers(pa.string(), 1, [None, OFFSETS, NO_TEXT])},
        "not Parquet that can be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("columns", "named"), TABLES.values(), ids=TABLES)
def test_a_table_that_costs_too_much_is_refused(tmp_path, columns, named):
    pq.write_table(pa.table(columns()), tmp_path / "a.parquet")
    assert os.path.getsize(tmp_path / "a.parquet") < 20_000_000
    refused(parquet_rows("log", tmp_path / "a.parquet"), named)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", os.urandom(1000)])
def test_what_is_not_parquet_is_refused(tmp_path, content):
    refused(parquet_rows("log", write(tmp_path / "a.parquet", content)), "not Parquet that can be read")


def test_values_of_a_parquet_file_are_counted_as_by_pyarrow(tmp_path):
    rows = [{"a": i, "b": ["x"] * (i % 5), "c": None} for i in range(1000)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet", row_group_size=300)
    groups = pq.read_metadata(tmp_path / "a.parquet")
    columns = [groups.row_group(i).column(j) for i in range(4) for j in range(3)]
    assert count_values(tmp_path / "a.parquet") == sum(column.num_values for column in columns)


def test_a_file_that_would_end_the_process_is_refused():
    """pyarrow ends the process at the metadata of a column with an impossible histogram."""
    path = Path(__file__).parent / "damaged-histogram.parquet"
    assert count_values(path) == 6
    with pytest.raises(OddError, match="not Parquet that can be read"):
        list(parquet_rows("questions", path))


@pytest.mark.parametrize(
    "change", [lambda x: x[:-1], lambda x: x[:-9] + x[-8:], lambda x: x[:-300] + bytes(292) + x[-8:]]
)
def test_a_damaged_footer_is_refused(tmp_path, change):
    pq.write_table(pa.table({"a": [1, 2], "b": [["x"], []]}), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(change((tmp_path / "a.parquet").read_bytes()))
    with pytest.raises(OddError, match="not Parquet that can be read"):
        list(parquet_rows("questions", tmp_path / "b.parquet"))
