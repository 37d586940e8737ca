"""Questions from files: JSON Lines, CSV and Parquet.

JSON fields and table columns are those of `odd.questions.base.Question`, or of a set as it is published
(`odd.questions.published`). In CSV files and in text columns of Parquet files, `choices`, `shots` and `metadata` are
JSON. Empty cells are ignored.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from odd.errors import OddError
from odd.questions.base import Question
from odd.questions.cells import fields_of
from odd.questions.published import NEEDED
from odd.row_files import LONGEST_LINE, Row, check_counts, json_rows, parquet_rows
from odd.text import shortened
from odd.untrusted import check_file

SUFFIXES = (".jsonl", ".csv", ".parquet")
REMEDIES = {
    ("id", "string_pattern_mismatch"): "write at most 80 letters, digits, ., _ and -, or leave the column out",
    ("choices", "too_long"): "there are more than 10 options: remove wrong ones",
}
"""Messages in place of pydantic's, by field and type of the error."""
MMLU_COLUMNS = ["question", "A", "B", "C", "D", "answer"]
"""Columns of MMLU's own CSV files, which have no header."""


def read_questions(path: Path) -> list[Question]:
    """Read the questions of a file. The suffix gives the format; an unknown suffix is read as JSON Lines.

    Raises:
        OddError: the file cannot be read, or a line or row is malformed (the message gives its number).
    """
    if path.suffix.lower() in (".tsv", ".xlsx", ".xls"):
        raise OddError(f"questions {path}: {path.suffix} files are not read: save it as .csv, with commas")
    readers = {".csv": _csv_rows, ".parquet": partial(parquet_rows, "questions")}
    read = readers.get(path.suffix.lower(), partial(json_rows, "questions"))
    try:
        return [question_of(place, row, str(number)) for number, (place, row) in enumerate(read(path), start=1)]
    except UnicodeDecodeError as error:
        raise OddError(f"questions {path}: not UTF-8: save it as UTF-8") from error
    except OSError as error:
        raise OddError(f"questions {path}: {error.strerror or error}: give a {', '.join(SUFFIXES)} file") from error


def question_of(place: str, row: Any, default_id: str | None = None) -> Question:
    """Build a question from the cells of a row.

    Args:
        place: where the row is, for messages.
        row: its cells by column; see `odd.questions.cells`.
        default_id: id of a row that has none.

    Raises:
        OddError: a field is missing, unknown or invalid; the message starts with `place`.
    """
    fields = fields_of(place, row, [*Question.model_fields])
    if default_id is not None:
        fields.setdefault("id", default_id)
    try:
        return Question.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = shortened(".".join(str(part) for part in first["loc"]), 80)
        message = REMEDIES.get((where, first["type"])) or shortened(first["msg"].removeprefix("Value error, "))
        raise OddError(": ".join(part for part in (place, where, message) if part)) from error


def _csv_rows(path: Path) -> Iterator[Row]:
    check_file(path)
    csv.field_size_limit(LONGEST_LINE)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            first = next(filter(None, reader), [])
            is_headless = _is_of_mmlu(first)
            names = MMLU_COLUMNS if is_headless else first
            _check_header(f"questions {path}", names)
            for number, cells in enumerate(chain([first] if is_headless else [], reader), start=1):
                check_counts(f"questions {path}", number, len(cells))
                place = f"questions {path}, row ending on line {reader.line_num}"
                if cells and len(cells) != len(names):
                    raise OddError(f"{place}: its cells do not match the {len(names)} of the header")
                if any(cells):
                    yield place, {name: cell or None for name, cell in zip(names, cells, strict=True)}
        except csv.Error as error:
            raise OddError(f"questions {path}, line {reader.line_num}: not CSV ({error}): fix that line") from error


def _is_of_mmlu(cells: Sequence[str]) -> bool:
    """Whether the first row of a file is a question of MMLU, with four options and a letter, instead of a header."""
    named = {cell.strip().lower() for cell in cells} & {*NEEDED}
    return len(cells) == len(MMLU_COLUMNS) and cells[-1] in MMLU_COLUMNS[1:-1] and not named


def _check_header(place: str, names: Sequence[str]) -> None:
    """Check the header of a CSV file.

    Raises:
        OddError: its cells are not separated by commas, or two columns have one name.
    """
    for separator, what in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
        if len(names) == 1 and separator in names[0]:
            raise OddError(f"{place}: its columns are separated by {what}: save it with commas")
    check_counts(place, 0, len(names))
    name, count = Counter(names).most_common(1)[0] if names else ("", 0)
    if count > 1:
        raise OddError(f"{place}: the header has {shortened(name, 80)!r} twice: keep one of the columns")
