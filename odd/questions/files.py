"""Questions from files: JSON Lines, CSV and Parquet.

JSON fields and table columns are those of `odd.questions.base.Question`. In CSV files and in text columns of Parquet
files, `choices`, `shots` and `metadata` are JSON. Empty cells are ignored.
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
from odd.untrusted import check_file

SUFFIXES = (".jsonl", ".csv", ".parquet")
NESTED = ("choices", "shots", "metadata")
FIELD_LIMIT = 1 << 24  # characters per CSV cell; the csv module's default limit rejects long passages

Row = tuple[str, Mapping[str, Any]]


def read_questions(path: Path) -> list[Question]:
    """Read the questions of a file. The suffix gives the format; an unknown suffix is read as JSON Lines.

    Raises:
        OddError: the file cannot be read, or a line or row is malformed (the message gives its number).
    """
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows}
    try:
        check_file(path)
        rows = list(readers.get(path.suffix.lower(), _json_rows)(path))
    except UnicodeDecodeError as error:
        raise OddError(f"questions {path}: not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise OddError(f"questions {path}: {error.strerror or error}: give a {', '.join(SUFFIXES)} file") from error
    return [question_of(f"questions {path}, {place}", row) for place, row in rows]


def question_of(place: str, row: Any) -> Question:
    """Build a question from its fields.

    Raises:
        OddError: a field is missing, unknown or invalid; the message starts with `place`.
    """
    try:
        return Question.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise OddError(": ".join(part for part in (place, where, message) if part)) from error


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    # not splitlines: a JSON string may contain other line breaks, such as U+2028
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
                place = f"row ending on line {reader.line_num}"
                if None in row or None in row.values():
                    raise OddError(f"questions {path}, {place}: its cells do not match the {len(row)} of the header")
                yield place, _cells(f"questions {path}, {place}", {key: cell for key, cell in row.items() if cell})
        except csv.Error as error:
            raise OddError(f"questions {path}, line {reader.line_num}: not CSV ({error}): fix that line") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise OddError(f"questions {path}: not Parquet ({str(error).splitlines()[0]}): write it again") from error
    for number, row in enumerate(table.to_pylist(), start=1):
        place = f"row {number}"
        yield place, _cells(f"questions {path}, {place}", {key: cell for key, cell in row.items() if cell is not None})


def _cells(place: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the cells of a row to the fields of a question."""
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
