"""Questions from files: JSON Lines, CSV and Parquet.

The fields of a JSON object, or the columns of a table, are those of `odd.questions.base.Question`. In CSV, and where a
column of a Parquet file is text, `choices`, `shots` and `metadata` are written as JSON. Empty cells are left out.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from odd.errors import OddError
from odd.questions.base import Question
from odd.text import parse_json

SUFFIXES = (".jsonl", ".csv", ".parquet")
NESTED = ("choices", "shots", "metadata")
FIELD_LIMIT = 1 << 24  # characters of a CSV cell; the library's own limit would refuse long passages

Row = tuple[str, Mapping[str, Any]]


def read_questions(path: Path) -> list[Question]:
    """The questions of a file; its suffix says which kind it is, anything unknown is read as JSON Lines.

    Raises:
        OddError: it cannot be read; or a malformed line or row, with its number.
    """
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows}
    try:
        rows = list(readers.get(path.suffix.lower(), _json_rows)(path))
    except UnicodeDecodeError as error:
        raise OddError(f"questions {path}: it is not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise OddError(f"questions {path}: {error.strerror or error}: give a file of {', '.join(SUFFIXES)}") from error
    return [question_of(f"questions {path}, {place}", row) for place, row in rows]


def question_of(place: str, row: Any) -> Question:
    """A question from its fields.

    Raises:
        OddError: a field is missing, unknown or impossible; names the place.
    """
    try:
        return Question.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise OddError(": ".join(part for part in (place, where, message) if part)) from error


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    # not splitlines: a JSON string may hold other line breaks, such as U+2028
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", parse_json(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise OddError(
                f"questions {path}, line {number}: not JSON ({reason}); put one JSON object per line"
            ) from error


def _csv_rows(path: Path) -> Iterator[Row]:
    csv.field_size_limit(FIELD_LIMIT)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for row in reader:
                place = f"row that ends in line {reader.line_num}"
                if None in row or None in row.values():
                    raise OddError(f"questions {path}, {place}: it has other cells than the {len(row)} of the heading")
                yield place, _cells(f"questions {path}, {place}", {key: cell for key, cell in row.items() if cell})
        except csv.Error as error:
            raise OddError(f"questions {path}, line {reader.line_num}: not CSV ({error}): mend that place") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise OddError(f"questions {path}: not Parquet ({str(error).splitlines()[0]}): write it anew") from error
    for number, row in enumerate(table.to_pylist(), start=1):
        place = f"row {number}"
        yield place, _cells(f"questions {path}, {place}", {key: cell for key, cell in row.items() if cell is not None})


def _cells(place: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a row as the fields of a question."""
    cells = dict(row)
    for name in NESTED:
        if isinstance(cells.get(name), str):
            try:
                cells[name] = parse_json(cells[name])
            except ValueError as error:
                raise OddError(f'{place}: {name}: not JSON: write it like ["iron", "plum"]') from error
    answer = cells.get("answer")
    if isinstance(answer, bool):
        cells["answer"] = "yes" if answer else "no"
    elif isinstance(answer, int | float):
        cells["answer"] = str(answer)
    return cells
