"""Cells of log rows: rewards, truth values, texts, messages and lists of numbers, in the types that writers give them.

Each function raises TypeError, ValueError or LookupError with the column and what it holds if a cell is invalid.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from odd.models.base import Message
from odd.questions.answers import boxed
from odd.text import parse_json, shortened

WRITTEN = {"true": True, "false": False, "none": None, "null": None, "nan": None}
"""Values in tables of text."""

TAGGED = re.compile(r"<answer>\s*([^<]*?)\s*</answer>\s*\Z")

Prompt = str | tuple[Message, ...]


class Turns(Exception):
    """A response that contains further turns, or parts that are not text; the message is the reason."""


class Unclear(Exception):
    """Several cells may be the reward of a row; the message names them."""


def listed(items: Sequence[Any]) -> str:
    """Join items for a message; of many, the first and last."""
    shown = [shortened(str(item), 40) for item in items]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", *shown[-3:]])


def number(row: Mapping[str, Any], column: str) -> float | None:
    """Return a reward; None or NaN, which reward functions may return, becomes None, and truth values 1 and 0."""
    if column not in row:
        raise LookupError(f"there is no column {column!r}; there are {listed(list(row))}")
    cell = row[column]
    if isinstance(cell, str) and cell.strip().lower() in WRITTEN:
        cell = WRITTEN[cell.strip().lower()]
    try:
        value = None if cell is None else float(cell)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(column, row[column], "a number") from None
    return None if value is None or math.isnan(value) else value


def step_of(row: Mapping[str, Any], *columns: str) -> int | None:
    """Return the training step of the first of the columns that has one; text counts if it is a whole number."""
    for column in columns:
        cell = row.get(column)
        if cell is None:
            continue
        try:
            step = int(cell)
        except (TypeError, ValueError, OverflowError):
            raise _wrong(column, cell, "a whole number") from None
        if not isinstance(cell, str) and step != cell:
            raise _wrong(column, cell, "a whole number")
        return step
    return None


def truth(row: Mapping[str, Any], column: str) -> bool | None:
    """Return a truth value, which may be written as text; None if there is none."""
    cell = row.get(column)
    found = WRITTEN.get(cell.strip().lower(), cell) if isinstance(cell, str) else cell
    if found is not None and found not in (True, False):
        raise _wrong(column, cell, "true or false")
    return None if found is None else bool(found)


def text(row: Mapping[str, Any], column: str) -> str | None:
    """Return the text of a column; None if it is empty (null)."""
    cell = row.get(column)
    if cell is not None and not isinstance(cell, str):
        raise _wrong(column, cell, "text")
    return cell


def gold(cell: Any) -> str | None:
    """Return a gold answer; a list of one counts as its element, anything else but text and numbers as none.

    Of a solution, it is what stands in its last box, behind its last `####`, or between `<answer>` and `</answer>`.
    """
    if isinstance(cell, str) and (written := _written_list(cell)) is not None:
        cell = written
    if isinstance(cell, list | tuple) and len(cell) == 1:
        cell = cell[0]
    if isinstance(cell, bool) or not isinstance(cell, str | int | float) or cell != cell:
        return None
    text = str(cell).strip()
    if (inner := boxed(text)) is not None:
        text = inner
    elif "####" in text:
        text = text.rpartition("####")[2]
    elif found := TAGGED.search(text):
        text = found[1]
    return text.strip() or None


def _written_list(text: str) -> list[Any] | None:
    """Return a list of texts that is written as JSON, as tables of text hold it; None for any other text."""
    try:
        found = parse_json(text) if text.lstrip().startswith('["') else None
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def numbers(row: Mapping[str, Any], column: str) -> tuple[float, ...]:
    """Return a list of numbers; null becomes NaN, and truth values 1 and 0."""
    return tuple(math.nan if one is None else _element(column, one, int | float) for one in _list(row, column))


def integers(row: Mapping[str, Any], column: str) -> tuple[int, ...]:
    """Return a list of integers."""
    return tuple(_element(column, one, int) for one in _list(row, column))


def integer(row: Mapping[str, Any], column: str) -> int:
    """Return a whole number."""
    cell = row.get(column)
    if isinstance(cell, bool) or not isinstance(cell, int | float) or cell != int(cell):
        raise _wrong(column, cell, "a whole number")
    return int(cell)


def same_length(**lists: Sequence[Any]) -> None:
    """Check that lists have one value for each token.

    Raises:
        ValueError: they have different lengths.
    """
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(", but ".join(f"{name} has {length} values" for name, length in lengths.items()))


def _list(row: Mapping[str, Any], column: str) -> Sequence[Any]:
    cell = row.get(column)
    if not isinstance(cell, list | tuple):
        raise _wrong(column, cell, "a list of numbers")
    return cell


def _element(column: str, one: Any, kind: Any) -> Any:
    if not isinstance(one, kind) or (kind is int and isinstance(one, bool)):
        raise TypeError(f"{column} must be {'integers' if kind is int else 'numbers'}, got {shortened(repr(one), 40)}")
    return one


def prompt(row: Mapping[str, Any], column: str) -> Prompt | None:
    """Return a prompt, text or messages; None if it is empty (null)."""
    cell = row.get(column)
    if cell is None:
        return None
    if isinstance(cell, str):
        messages = _written_messages(cell)
        return cell if messages is None else tuple(map(_message, messages))
    if not isinstance(cell, list | tuple):
        raise _wrong(column, cell, "text, or messages with role and content,")
    return tuple(_message(message, column) for message in cell)


def completion(row: Mapping[str, Any], column: str) -> str | None:
    """Return the text of a completion: text, or one message, which may be in a list; None if it is empty.

    Raises:
        Turns: it has several messages, or calls tools.
    """
    cell = row.get(column)
    if isinstance(cell, str):
        messages = _written_messages(cell)
        if messages is None:
            return cell
        cell = messages
    if cell is None:
        return None
    found = [cell] if isinstance(cell, Mapping) else cell
    if not isinstance(found, list | tuple):
        raise _wrong(column, cell, "text, or a message with role and content,")
    if len(found) != 1:
        raise Turns("its response contains further turns" if len(found) > 1 else "it has no response")
    return said(found[0], column)


def said(message: Any, column: str) -> str:
    """Return the text of an assistant's message.

    Raises:
        Turns: it calls tools, or has reasoning outside its text, whose marks are unknown.
    """
    if isinstance(message, Mapping):
        parts = message["content"] if isinstance(message.get("content"), list) else []
        if any(message.get(key) for key in ("tool_calls", "function_call")):
            raise Turns("its response calls tools")
        if any(message.get(key) for key in ("reasoning_content", "reasoning", "thinking")) or any(
            isinstance(part, Mapping) and part.get("type") in ("reasoning", "thinking") for part in parts
        ):
            raise Turns("its response has reasoning outside its text, without the marks that the student wrote")
        if message.get("content", "") is None:
            raise Turns("it has no response")
    return _message(message, column)["content"]


def _written_messages(written: str) -> list[Any] | None:
    """Return messages that are written as JSON, as tables of text hold them; None for any other text."""
    if not written.startswith(('[{"', "[{'")):
        return None
    try:
        found = parse_json(written)
    except ValueError:
        return None
    return found if all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in found) else None


def _message(message: Any, column: str = "prompt") -> Message:
    """Return a message; parts of text are joined."""
    if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
        raise _wrong(column, message, "text, or messages with role and content,")
    return {"role": str(message["role"]), "content": joined(message["content"])}


def joined(content: Any) -> str:
    """Return the content of a message; parts of text are joined."""
    if isinstance(content, list | tuple):
        parts = [one.get("text") if isinstance(one, Mapping) else one for one in content]
        if not all(isinstance(part, str) for part in parts):
            raise Turns("a message of it has parts that are not text, such as images")
        content = "".join(map(str, parts))
    if not isinstance(content, str):
        raise TypeError(f"the content of a message is {shortened(repr(content), 40)}: text is needed")
    return content


def _wrong(column: str, cell: Any, needed: str) -> TypeError:
    return TypeError(f"column {column!r} contains {shortened(repr(cell), 40)}: {needed} is needed")
