"""Options of a choice question from the cells of a row, and the letter of the option that is its answer.

Options are a list, also as text that JSON, Python or numpy print; columns of their own (`A` to `D`, `option_a`,
`choice1`); or an object of texts by letter or label. An answer with two readings is refused.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from odd.errors import OddError
from odd.questions.cell_text import is_missing, named, text_of
from odd.questions.options import LETTERS, named_letter
from odd.text import parse_json, shortened

COLUMN = re.compile(r"(?:option|choice|opt)s?[ _.-]?([a-j]|\d{1,2})|([a-j])", re.IGNORECASE | re.ASCII)
"""Name of a column with one option."""
ITEM = re.compile(r"""'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|-?\d{1,20}(?:\.\d{1,20})?""")
SPACE = re.compile(r"\s*+")
WHOLE = re.compile(r"[+-]?\d{1,9}(?:\.0*)?", re.ASCII)
LIST = 'a list such as ["iron", "plum"]'


def options_in_columns(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row with options in columns of their own as one cell `choices`; any other row as it is."""
    if not is_missing(row.get("choices")) or row.get("kind", "choice") != "choice":
        return row
    columns: dict[str, str] = {}
    for name in row:
        if found := COLUMN.fullmatch(str(name).strip()):
            columns.setdefault((found[1] or found[2]).upper(), name)
    labels = sorted(columns, key=_in_order)
    matching = sum(COLUMN.fullmatch(str(name).strip()) is not None for name in row)
    first = 0 if labels and labels[0] == "0" else 1
    counted = [str(i) for i in range(first, first + len(labels))]
    if not 2 <= len(labels) == matching or labels not in (list(LETTERS[: len(labels)]), counted):
        return row
    rest = {name: cell for name, cell in row.items() if name not in columns.values() and name != "choices"}
    return {**rest, "choices": {label: row[columns[label]] for label in labels}}


def choices_of(place: str, cell: Any) -> tuple[list[str], list[str]]:
    """Return the texts of the options and their labels.

    Raises:
        OddError: the cell is not a list of options.
    """
    if isinstance(cell, str):
        cell = _parsed(place, cell)
    labels: Any = LETTERS
    if isinstance(cell, Mapping) and {"text", "label"} <= cell.keys():
        texts, labels = cell["text"], cell["label"]
    elif isinstance(cell, Mapping):
        labels = sorted(cell, key=_in_order)
        while labels and (is_missing(cell[labels[-1]]) or cell[labels[-1]] == ""):
            labels.pop()  # tables have as many columns as the question with most options
        texts = [cell[label] for label in labels]
    elif isinstance(cell, list | tuple) and cell and all(isinstance(one, Mapping) for one in cell):
        texts, labels = [one.get("text") for one in cell], [one.get("label") for one in cell]
    else:
        texts = cell
    if not isinstance(texts, list | tuple) or not isinstance(labels, list | tuple | str):
        raise OddError(f"{place}: choices is {named(cell)}: write {LIST}")
    if labels != LETTERS and len(set(map(str, labels))) != len(texts):
        raise OddError(f"{place}: choices has {len(texts)} texts and other labels than these: give each its own label")
    found = [text_of(f"{place}: choices", one) for one in texts]
    if not all(text.strip() for text in found):
        raise OddError(f"{place}: choices has a blank option: fill it in, or remove it")
    return found, [str(label) for label in labels]


def letter_of(what: str, answer: Any, choices: Sequence[str], labels: Sequence[str]) -> str:
    """Return the letter of an option that is given by its label, its letter, its text, or its index from 0.

    Args:
        what: the cell of the answer, for the message.
        answer: its value.
        choices: texts of the options.
        labels: their labels, by default letters.

    Returns:
        The letter; a text that names no option as it is, in capitals.

    Raises:
        OddError: a number is no index, or the answer can be read in two ways.
    """
    given = text_of(what, answer).strip()
    letters = LETTERS[: len(choices)]
    if given in labels[: len(choices)]:
        return LETTERS[labels.index(given)]
    if len(given) == 1 and given.upper() in letters:
        return given.upper()
    readings = {letter for letter, text in zip(letters, choices, strict=False) if text.strip() == given}
    if not readings:  # a text in other capital letters, unless two options have it
        same = [
            letter
            for letter, text in zip(letters, choices, strict=False)
            if text.strip().casefold() == given.casefold()
        ]
        readings = set(same if len(same) == 1 else ())
    if WHOLE.fullmatch(given):
        index = int(float(given))
        is_index = 0 <= index < len(letters) and not any(map(str.isdigit, labels))
        readings |= {letters[index]} if is_index else set()
    elif (letter := named_letter(given, choices)) and letter in letters:
        readings.add(letter)
    if len(readings) > 1:
        raise OddError(f"{what} {shortened(given, 60)} may mean {' or '.join(sorted(readings))}: write the letter")
    if not readings and (not isinstance(answer, str) or WHOLE.fullmatch(given)):
        raise OddError(
            f"{what} {given} is none of the {len(choices)} choices: write its letter, such as B, or its index from 0; "
            "hidden answers are often -1: remove those rows"
        )
    return readings.pop() if readings else given.upper()


def _in_order(label: Any) -> tuple[int, str]:
    return len(str(label)), str(label)


def _parsed(place: str, text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        items = _printed(text.strip())
        if items is None:
            raise OddError(f'{place}: choices: not JSON: write it like ["iron", "plum"]') from error
        return items


def _printed(text: str) -> list[Any] | None:
    """Return the texts and numbers of a printed list; None for any other text."""
    before, opened, rest = text.partition("[")
    inside, closed, after = rest.rpartition("]")
    # numpy adds the type: array(['iron', 'plum'], dtype=object)
    is_list = (before, after) == ("", "") or (
        before == "array(" and after.startswith((")", ",")) and after.endswith(")")
    )
    if not (opened and closed and is_list):
        return None
    inside = inside.strip().removesuffix(",").rstrip()
    with_commas = _items(inside, ",")
    return _items(inside, "") if with_commas is None else with_commas


def _items(text: str, separator: str) -> list[Any] | None:
    """Return the texts and numbers of a printed list, without its brackets; None if it is none.

    Args:
        text: what stands between the brackets.
        separator: what separates items, beside white space: a comma (Python), or nothing (numpy).
    """
    items, place = [], 0
    while item := ITEM.match(text, place):
        try:
            items.append(ast.literal_eval(item[0]))
        except (ValueError, SyntaxError):  # a line break or a wrong escape inside quotes
            return None
        if item.end() == len(text):
            return items
        place = _after_space(text, item.end())
        if not text.startswith(separator, place) or place + len(separator) == item.end():
            return None
        place = _after_space(text, place + len(separator))
    return None


def _after_space(text: str, place: int) -> int:
    found = SPACE.match(text, place)
    return place if found is None else found.end()
