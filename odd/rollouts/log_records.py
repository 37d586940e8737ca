"""Rows of rollout logs in three forms: TRL's, verl's, and ODD's (docs/import.md).

The columns of a row determine its form. Files are JSON Lines or Parquet; a folder means all such files in it.
"""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odd.config import ImportConfig
from odd.errors import OddError
from odd.models.base import Message
from odd.row_files import Row, json_rows, parquet_rows
from odd.text import parse_json, shortened

SUFFIXES = (".jsonl", ".parquet")
# numeric columns of a TRL table that are not rewards; completion_mask and the like are lists
NO_REWARD = {"step", "advantage"}
WRITTEN = {"true": True, "false": False, "none": None, "null": None, "nan": None}
"""Values that tables of text hold."""
TRL, VERL = {"prompt", "completion"}, {"input", "output", "score"}
FORMS = (
    "TRL's prompt, completion and rewards; verl's input, output and score; or response or token_ids, reward, and "
    "question or prompt"
)

Prompt = str | tuple[Message, ...]


@dataclass(frozen=True)
class Record:
    """One logged rollout.

    Attributes:
        place: file and row, for error messages.
        question: id of the question; None to find it by the prompt.
        prompt: text or messages; None for the prompt of the question.
        response: text of the response; None if there are token ids, or neither.
        token_ids: token ids of the response; None if there is only text.
        reward: reward, or None.
        step: training step; None if unknown.
        truncated: whether the response was truncated at the length limit; None if unknown.
    """

    place: str
    question: str | None
    prompt: Prompt | None
    response: str | None
    token_ids: tuple[int, ...] | None
    reward: float | None
    step: int | None
    truncated: bool | None = None


def read_records(config: ImportConfig) -> list[Record]:
    """Read the rollouts of the logs, only those of the chosen steps.

    Raises:
        OddError: a file cannot be read, a row has none of the forms (the message names its place), or there are
            several steps and none is chosen.
    """
    records = [record for path in _files(config.files) for record in _records(path, config.reward)]
    steps = sorted({record.step for record in records if record.step is not None})
    if config.steps:
        if missing := sorted(set(config.steps) - set(steps)):
            raise OddError(
                f"import: no rollout of step {missing[0]}; there are steps {_listed(steps)}: choose from these"
            )
        return [record for record in records if record.step in config.steps]
    if len(steps) > 1:
        raise OddError(
            f"import: rollouts of {len(steps)} training steps, {_listed(steps)}, come from different checkpoints: "
            "choose the student's with --step N"
        )
    return records


def _listed(items: Sequence[Any]) -> str:
    shown = [shortened(str(item), 40) for item in items]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", *shown[-3:]])


def _files(names: tuple[str, ...]) -> Iterator[Path]:
    for name in names:
        path = Path(name)
        inside = [path]
        if os.path.isdir(path):
            found = [*path.glob("*"), *path.glob("*/*")]
            inside = sorted(file for file in found if _suffix(file) in SUFFIXES and not os.path.isdir(file))
        if not inside:
            raise OddError(f"import {name}: the folder contains no {' or '.join(SUFFIXES)} file: give another")
        yield from inside


def _suffix(path: Path) -> str:
    """Return the suffix of a file, without that of compression."""
    name = path.name.lower().removesuffix(".gz")
    return f".{name.rpartition('.')[2]}"


def _records(path: Path, reward: str | None) -> Iterator[Record]:
    column = reward or _reward_column(path)
    for place, row in _rows(path):
        if not isinstance(row, Mapping):
            raise OddError(f"{place}: not an object: put one JSON object per line, with {FORMS}")
        try:
            yield _record(place, row, column if row.keys() >= TRL else reward)
        except (TypeError, ValueError, LookupError, ArithmeticError) as error:
            raise OddError(f"{place}: {shortened(str(error))}: fix that row") from error


def _rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a log; a file may be larger than its rows fit into memory, so they are not kept.

    Raises:
        OddError: it cannot be read.
    """
    try:
        yield from (parquet_rows if _suffix(path) == ".parquet" else json_rows)("import", path)
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8"
        raise OddError(
            f"import {path}: {reason}: give a {' or '.join(SUFFIXES)} file, or a folder of such files"
        ) from error


def _record(place: str, row: Mapping[str, Any], reward: str | None) -> Record:
    """Parse a row of any of the forms.

    Raises:
        OddError: the row has none of the forms.
        KeyError, TypeError, ValueError: a cell is missing or invalid.
    """
    step = None if row.get("step") is None else int(row["step"])
    if row.keys() >= VERL:
        return Record(
            place, None, _said(row, "input"), _said(row, "output"), None, _number(row, reward or "score"), step
        )
    if row.keys() >= TRL:
        value = _number(row, reward or "reward")
        return Record(place, None, _prompt(row["prompt"]), _completion(row["completion"]), None, value, step)
    if (row.keys() & {"response", "token_ids"}) and (row.keys() & {"question", "prompt"}):
        tokens = row.get("token_ids")
        return Record(
            place,
            question=None if row.get("question") is None else str(row["question"]),
            prompt=None if row.get("prompt") is None else _prompt(row["prompt"]),
            response=None if tokens is not None else _said(row, "response"),
            token_ids=None if tokens is None else tuple(_whole(token) for token in tokens),
            reward=_number(row, reward or "reward") if reward or "reward" in row else None,
            step=step,
            truncated=None if row.get("truncated") is None else _truth(row, "truncated"),
        )
    raise OddError(f"{place}: columns {_listed(list(row))}: a row needs {FORMS}")


def _reward_column(path: Path) -> str | None:
    """Return the reward column of a TRL table, which TRL names after the reward function; None for other tables."""
    trl, numeric = False, set[str]()
    for _, row in _rows(path):
        if isinstance(row, Mapping) and row.keys() >= TRL:
            trl = True
            numeric |= {name for name, cell in row.items() if isinstance(cell, int | float)} - NO_REWARD
    if "reward" in numeric or not trl:
        return "reward" if trl else None
    if len(numeric) != 1:
        found = f"numeric columns are {_listed(sorted(numeric))}" if numeric else "no column is numeric"
        raise OddError(f"import {path}: the reward column is not clear, {found}: choose it with --reward COLUMN")
    return numeric.pop()


def _number(row: Mapping[str, Any], column: str) -> float | None:
    """Return a reward; None or NaN, which reward functions may return, becomes None, and truth values 1 and 0.

    Raises:
        LookupError: there is no such column.
        TypeError: it holds something else.
    """
    if column not in row:
        raise LookupError(f"there is no column {column!r}; there are {_listed(list(row))}")
    cell = row[column]
    if isinstance(cell, str) and cell.strip().lower() in WRITTEN:
        cell = WRITTEN[cell.strip().lower()]
    try:
        value = None if cell is None else float(cell)
    except (TypeError, ValueError):
        raise TypeError(f"column {column!r} holds {shortened(repr(cell), 40)}: a number is needed") from None
    return None if value is None or math.isnan(value) else value


def _truth(row: Mapping[str, Any], column: str) -> bool:
    """Return a truth value, which may be written as text.

    Raises:
        TypeError: it holds something else.
    """
    cell = row[column]
    found = WRITTEN.get(cell.strip().lower()) if isinstance(cell, str) else cell
    if found not in (True, False):
        raise TypeError(f"column {column!r} holds {shortened(repr(cell), 40)}: true or false is needed")
    return bool(found)


def _said(row: Mapping[str, Any], column: str) -> str | None:
    """Return the text of a column; None if it is empty (null).

    Raises:
        TypeError: it holds something else.
    """
    cell = row.get(column)
    if cell is not None and not isinstance(cell, str):
        raise TypeError(f"column {column!r} holds {shortened(repr(cell), 40)}: a text is needed")
    return cell


def _whole(token: Any) -> int:
    if isinstance(token, bool) or not isinstance(token, int):
        raise TypeError(f"token_ids must be integers, got {shortened(repr(token), 40)}")
    return token


def _prompt(cell: Any) -> Prompt:
    if isinstance(cell, str) and (messages := _written_messages(cell)) is None:
        return cell
    return tuple(map(_message, messages if isinstance(cell, str) else cell))


def _written_messages(text: str) -> list[Any] | None:
    """Return messages that are written as JSON, as tables of text hold them; None for any other text."""
    if not text.startswith(('[{"', "[{'")):
        return None
    try:
        found = parse_json(text)
    except ValueError:
        return None
    return found if all(isinstance(one, dict) and {"role", "content"} <= one.keys() for one in found) else None


def _message(message: Any) -> Message:
    """Return a message; parts of text are joined.

    Raises:
        TypeError: it is none, or contains something else than text.
    """
    if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
        raise TypeError(
            f"{shortened(repr(message), 40)} is no message: a text, or messages with role and content, are needed"
        )
    content = message["content"]
    if isinstance(content, list) and all(
        isinstance(one, Mapping) and isinstance(one.get("text"), str) for one in content
    ):
        content = "".join(one["text"] for one in content)
    if not isinstance(content, str):
        raise TypeError("the content of a message is not text")
    return {"role": str(message["role"]), "content": content}


def _completion(cell: Any) -> str | None:
    """Return the text of a completion; if the prompt is messages, TRL writes a list of one message."""
    if isinstance(cell, str) and (messages := _written_messages(cell)) is None:
        return cell
    if cell is None:
        return None
    found = messages if isinstance(cell, str) else [cell] if isinstance(cell, Mapping) else cell
    if len(found) != 1:
        raise ValueError(f"a completion of {len(found)} messages: only completions of one message can be imported")
    return _message(found[0])["content"]
