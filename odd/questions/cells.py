"""Fields of a question from the cells of a row, whose types depend on the format: 51, 51.0 and "51" are one answer.

What has no one meaning, such as an empty answer or a list, is refused with the row, the column and a remedy.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from odd.errors import OddError
from odd.questions.cell_text import is_missing, named, text_of
from odd.questions.choices import choices_of, letter_of
from odd.questions.options import LETTERS
from odd.questions.published import NEEDED, published_fields
from odd.text import parse_json, shortened

TRUTHS = {
    **dict.fromkeys(("yes", "true", "y", "t", "1", "1.0"), "yes"),
    **dict.fromkeys(("no", "false", "n", "f", "0", "0.0"), "no"),
}
EXPONENT = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,20})?[eE][+-]?\d{1,3}", re.ASCII)
NESTED = ("shots", "metadata")
TEXTS = ("id", "question", "prompt", "example", "solution", "hint", "system")
EMPTY = "is empty: fill it in, or remove the row"


def fields_of(place: str, row: Any, known: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a question.

    Args:
        place: where the row is, for messages.
        row: its cells by column: those of a question, or of a set as it is published (`odd.questions.published`).
        known: names of all fields of a question.

    Raises:
        OddError: a column is missing, unknown or empty, or a cell has a type without a meaning there.
    """
    if not isinstance(row, Mapping):
        raise OddError(f"{place}: not an object but {named(row)}: put one JSON object per line")
    row = published_fields(place, row)
    _check_columns(place, row, known)
    fields = {name: cell for name, cell in row.items() if not is_missing(cell) or name in NEEDED}
    for name in NEEDED:
        if is_missing(fields[name]):
            raise OddError(f"{place}: {name} {EMPTY}")
    for name in TEXTS:
        if name in fields:
            fields[name] = text_of(f"{place}: {name}", fields[name])
    if not fields["question"].strip() and not fields.get("prompt"):
        raise OddError(f"{place}: question is blank: fill it in, or remove the row")
    for name in ("solution", "hint", "system"):
        if not fields.get(name, "?").strip():
            del fields[name]
    for name in NESTED:
        if isinstance(cell := fields.get(name), str):
            fields[name] = _parsed(place, name, cell)
    labels: Sequence[str] = LETTERS
    if "choices" in fields:
        fields["choices"], labels = choices_of(place, fields["choices"])
    fields["answer"] = _answer(f"{place}: answer", fields["kind"], fields["answer"], fields.get("choices", ()), labels)
    return fields


def _check_columns(place: str, row: Mapping[str, Any], known: Sequence[str]) -> None:
    names = [str(name) for name in row]
    listed = shortened(", ".join(names), 200)
    if "" in names:
        raise OddError(f"{place}: a column has no name: remove it (pandas: index=False)")
    missing = [name for name in NEEDED if name not in names]
    if missing and all(name in [other.strip().lower() for other in names] for name in NEEDED):
        raise OddError(
            f"{place}: the columns are {listed}: write {', '.join(NEEDED)}, in small letters, without spaces"
        )
    if missing:
        raise OddError(
            f"{place}: {missing[0]} is missing: a question needs {', '.join(NEEDED)}, and the columns are {listed}"
        )
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OddError(
            f"{place}: {shortened(unknown[0], 80)}: unknown column: remove it; a question has {', '.join(known)}"
        )


def _answer(what: str, kind: Any, answer: Any, choices: Sequence[str], labels: Sequence[str]) -> str:
    """Return the gold answer as text: numbers, truth values, and the letter of a choice."""
    if isinstance(answer, list | tuple | dict):
        raise OddError(f"{what} is {named(answer)}: write one text")
    if kind == "yes_no":
        said = TRUTHS.get(str(answer).strip().lower())
        if said is None and not isinstance(answer, str):
            raise OddError(f"{what} {named(answer)} is neither true nor false: write yes or no, or remove the row")
        return said or answer
    if isinstance(answer, bool):
        raise OddError(f"{what} is true or false: write a text, or use kind yes_no")
    if kind == "choice":
        return letter_of(what, answer, choices, labels)
    if isinstance(answer, str):
        return f"{Decimal(answer.strip()):f}" if kind == "number" and EXPONENT.fullmatch(answer.strip()) else answer
    return text_of(what, answer)


def _parsed(place: str, name: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise OddError(f'{place}: {name}: not JSON: write it like ["iron", "plum"]') from error
