"""Fields of a question from the cells of a row, whose types depend on the format: 51, 51.0 and "51" are one answer.

What has no one meaning, such as an empty answer or a list, is refused with the row, the column and a remedy.
"""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from odd.errors import OddError
from odd.questions.options import LETTERS
from odd.text import parse_json, shortened

NEEDED = ("question", "answer", "kind")
TRUTHS = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}
GSM8K = {"question", "answer"}
"""Columns of GSM8K as it is published; the number follows ####."""
EXPONENT = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,20})?[eE][+-]?\d{1,3}", re.ASCII)
NESTED = ("shots", "metadata")
EMPTY = "is empty: fill it in, or remove the row"


def fields_of(place: str, row: Any, known: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a question.

    Args:
        place: where the row is, for messages.
        row: its cells by column.
        known: names of all fields of a question.

    Raises:
        OddError: a column is missing, unknown or empty, or a cell has a type without a meaning there.
    """
    if not isinstance(row, Mapping):
        raise OddError(f"{place}: not an object but {_named(row)}: put one JSON object per line")
    if set(row) == GSM8K and isinstance(row["answer"], str) and "####" in row["answer"]:
        row = {**row, "answer": row["answer"].rpartition("####")[2].strip(), "kind": "number"}
    _check_columns(place, row, known)
    fields = {name: cell for name, cell in row.items() if cell is not None or name in NEEDED}
    for name in NEEDED:
        if _is_missing(fields[name]):
            raise OddError(f"{place}: {name} {EMPTY}")
    if isinstance(fields["question"], str) and not fields["question"].strip() and not fields.get("prompt"):
        raise OddError(f"{place}: question is blank: fill it in, or remove the row")
    if "id" in fields:
        fields["id"] = _text(place, "id", fields["id"])
    for name in NESTED:
        if isinstance(cell := fields.get(name), str):
            fields[name] = _parsed(place, name, cell)
    labels: Sequence[str] = LETTERS
    if "choices" in fields:
        fields["choices"], labels = _choices(place, fields["choices"])
    fields["answer"] = _answer(place, fields["kind"], fields["answer"], labels, len(fields.get("choices", ())))
    return fields


def _check_columns(place: str, row: Mapping[str, Any], known: Sequence[str]) -> None:
    names = [str(name) for name in row]
    listed = shortened(", ".join(names), 200)
    if "" in names:
        raise OddError(f"{place}: a column has no name: remove it (pandas: index=False)")
    missing = [name for name in NEEDED if name not in names]
    if missing and all(name in [other.strip().lower() for other in names] for name in NEEDED):
        raise OddError(f"{place}: the columns are {listed}: write {', '.join(NEEDED)}, in small letters")
    if missing:
        raise OddError(
            f"{place}: {missing[0]} is missing: a question needs {', '.join(NEEDED)}, and the columns are {listed}"
        )
    unknown = [name for name in names if name not in known]
    if unknown:
        raise OddError(
            f"{place}: {shortened(unknown[0], 80)}: unknown column: remove it; a question has {', '.join(known)}"
        )


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _text(place: str, name: str, cell: Any) -> str:
    """Return a text or number as text.

    Raises:
        OddError: it is neither.
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    if not isinstance(cell, float) or not math.isfinite(cell):
        raise OddError(f"{place}: {name} is {_named(cell)}: write a text")
    text = f"{Decimal(repr(cell)):f}"  # no exponent, and no point in a whole number
    return text.rstrip("0").rstrip(".") if "." in text else text


def _named(cell: Any) -> str:
    names = {list: "a list", tuple: "a list", dict: "an object", bool: "true or false", type(None): "empty"}
    return names.get(type(cell), shortened(repr(cell), 60))


def _answer(place: str, kind: Any, answer: Any, labels: Sequence[str], choices: int) -> str:
    """Return the gold answer as text: numbers, truth values, and the index or label of a choice."""
    what = f"{place}: answer"
    if isinstance(answer, list | tuple | dict):
        raise OddError(f"{what} is {_named(answer)}: write one text")
    if kind == "yes_no":
        said = TRUTHS.get(str(answer).strip().lower())
        if said is None and not isinstance(answer, str):
            raise OddError(f"{what} {_named(answer)} is neither true nor false: write yes or no, or remove the row")
        return said or answer
    if isinstance(answer, bool):
        raise OddError(f"{what} is true or false: write a text, or use kind yes_no")
    if kind == "choice":
        return _letter(what, answer, labels, choices)
    if isinstance(answer, str):
        return f"{Decimal(answer.strip()):f}" if kind == "number" and EXPONENT.fullmatch(answer.strip()) else answer
    return _text(place, "answer", answer)


def _letter(what: str, answer: Any, labels: Sequence[str], choices: int) -> str:
    """Return the letter of a choice that is given by its letter, its label, or its index from 0."""
    if isinstance(answer, str):
        given = answer.strip()
        return LETTERS[labels.index(given)] if given in list(labels)[:choices] else given.upper()
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    if not isinstance(answer, int) or not 0 <= answer < min(choices, len(LETTERS)):
        raise OddError(
            f"{what} {_named(answer)} is none of the {choices} choices: write its letter, such as B, or its index from "
            "0; hidden answers are often -1: remove those rows"
        )
    return LETTERS[answer]


def _choices(place: str, cell: Any) -> tuple[list[str], Sequence[str]]:
    """Return the texts of the choices and their labels."""
    if isinstance(cell, str):
        cell = _parsed(place, "choices", cell)
    if isinstance(cell, Mapping) and {"text", "label"} <= cell.keys():
        texts, labels = cell["text"], cell["label"]
    elif isinstance(cell, Mapping):
        labels = sorted(cell)
        texts = [cell[label] for label in labels]
    elif isinstance(cell, list | tuple) and cell and all(isinstance(one, Mapping) for one in cell):
        texts, labels = [one.get("text") for one in cell], [one.get("label") for one in cell]
    else:
        texts, labels = cell, LETTERS
    if not isinstance(texts, list | tuple) or not isinstance(labels, list | tuple | str):
        raise OddError(f'{place}: choices is {_named(cell)}: write a list such as ["iron", "plum"]')
    return [_text(place, "choices", one) for one in texts], [str(label) for label in labels]


def _parsed(place: str, name: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise OddError(f'{place}: {name}: not JSON: write it like ["iron", "plum"]') from error
