"""Questions from files: JSON Lines, CSV and Parquet.

JSON fields and table columns are those of `odd.questions.base.Question`. In CSV files and in text columns of Parquet
files, `choices`, `shots` and `metadata` are JSON. Empty cells are ignored.
"""

import csv
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from odd.errors import OddError
from odd.questions.base import Question
from odd.row_files import LONGEST_LINE, Row, check_counts, json_rows, parquet_rows
from odd.text import parse_json, shortened
from odd.untrusted import check_file

SUFFIXES = (".jsonl", ".csv", ".parquet")
NESTED = ("choices", "shots", "metadata")


def read_questions(path: Path) -> list[Question]:
    """Read the questions of a file. The suffix gives the format; an unknown suffix is read as JSON Lines.

    Raises:
        OddError: the file cannot be read, or a line or row is malformed (the message gives its number).
    """
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows}
    read = readers.get(path.suffix.lower(), partial(json_rows, "questions"))
    try:
        return [question_of(place, row) for place, row in read(path)]
    except UnicodeDecodeError as error:
        raise OddError(f"questions {path}: not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise OddError(f"questions {path}: {error.strerror or error}: give a {', '.join(SUFFIXES)} file") from error


def question_of(place: str, row: Any) -> Question:
    """Build a question from its fields.

    Raises:
        OddError: a field is missing, unknown or invalid; the message starts with `place`.
    """
    try:
        return Question.model_validate(row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = shortened(".".join(str(part) for part in first["loc"]), 80)
        message = shortened(first["msg"].removeprefix("Value error, "))
        raise OddError(": ".join(part for part in (place, where, message) if part)) from error


def _csv_rows(path: Path) -> Iterator[Row]:
    check_file(path)
    csv.field_size_limit(LONGEST_LINE)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            for number, row in enumerate(reader, start=1):
                check_counts(f"questions {path}", number, len(row))
                place = f"questions {path}, row ending on line {reader.line_num}"
                if None in row or None in row.values():
                    raise OddError(f"{place}: its cells do not match the {len(row)} of the header")
                yield place, _cells(place, {key: cell for key, cell in row.items() if cell})
        except csv.Error as error:
            raise OddError(f"questions {path}, line {reader.line_num}: not CSV ({error}): fix that line") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    for place, row in parquet_rows("questions", path):
        yield place, _cells(place, {key: cell for key, cell in row.items() if cell is not None})


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
