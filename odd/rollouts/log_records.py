"""Rows of rollout logs in three forms: TRL's, verl's, and ODD's (docs/import.md).

The columns of a row determine its form. Files are JSON Lines or Parquet; a folder means all such files in it.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from odd.config import ImportConfig
from odd.errors import OddError
from odd.models.base import Message
from odd.text import parse_json

SUFFIXES = (".jsonl", ".parquet")
# numeric columns of a TRL table that are not rewards; completion_mask and the like are lists
NO_REWARD = {"step", "advantage"}
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
        response: text of the response; None if there are token ids.
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


def _listed(steps: list[int]) -> str:
    shown = [str(step) for step in steps]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:4], "...", *shown[-3:]])


def _files(names: tuple[str, ...]) -> Iterator[Path]:
    for name in names:
        path = Path(name)
        inside = sorted(file for file in path.glob("*") if file.suffix in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise OddError(f"import {name}: the folder contains no {' or '.join(SUFFIXES)} file: give another")
        yield from inside


def _records(path: Path, reward: str | None) -> Iterator[Record]:
    rows = list(_parquet(path) if path.suffix == ".parquet" else _json_lines(path))
    trl = [row for _, row in rows if isinstance(row, Mapping) and row.keys() >= TRL]
    column = _reward_column(path, trl) if trl and reward is None else reward
    for place, row in rows:
        if not isinstance(row, Mapping):
            raise OddError(f"{place}: not an object: put one JSON object per line, with {FORMS}")
        try:
            yield _record(place, row, column if row.keys() >= TRL else reward)
        except (TypeError, ValueError, KeyError) as error:
            raise OddError(f"{place}: {error}: fix that row") from error


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise OddError(
            f"import {path}: {reason}: give a {' or '.join(SUFFIXES)} file, or a folder of such files"
        ) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"import {path}, line {number}"
        try:
            yield place, parse_json(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else error
            raise OddError(f"{place}: not JSON ({reason}); put one JSON object per line") from error


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise OddError(f"import {path}: cannot be read as Parquet ({reason}): give another file") from error
    for number, row in enumerate(rows, start=1):
        yield f"import {path}, row {number}", row


def _record(place: str, row: Mapping[str, Any], reward: str | None) -> Record:
    """Parse a row of any of the forms.

    Raises:
        OddError: the row has none of the forms.
        KeyError, TypeError, ValueError: a cell is missing or invalid.
    """
    step = None if row.get("step") is None else int(row["step"])
    if row.keys() >= VERL:
        score = _number(row[reward or "score"])
        return Record(place, None, str(row["input"]), str(row["output"]), None, score, step)
    if row.keys() >= TRL:
        value = _number(row[reward or "reward"])
        return Record(place, None, _prompt(row["prompt"]), _completion(row["completion"]), None, value, step)
    if (row.keys() & {"response", "token_ids"}) and (row.keys() & {"question", "prompt"}):
        tokens = row.get("token_ids")
        return Record(
            place,
            question=None if row.get("question") is None else str(row["question"]),
            prompt=None if row.get("prompt") is None else _prompt(row["prompt"]),
            response=None if tokens is not None else str(row["response"]),
            token_ids=None if tokens is None else tuple(_whole(token) for token in tokens),
            reward=_number(row.get(reward or "reward")),
            step=step,
            truncated=None if row.get("truncated") is None else bool(row["truncated"]),
        )
    raise OddError(f"{place}: columns {', '.join(map(str, row))}: a row needs {FORMS}")


def _reward_column(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the reward column of a TRL table; TRL names it after the reward function."""
    numeric = {name for row in rows for name, cell in row.items() if isinstance(cell, int | float)} - NO_REWARD
    if "reward" in numeric:
        return "reward"
    if len(numeric) != 1:
        found = f"numeric columns are {', '.join(sorted(numeric))}" if numeric else "no column is numeric"
        raise OddError(f"import {path}: the reward column is not clear, {found}: choose it with --reward COLUMN")
    return numeric.pop()


def _number(cell: Any) -> float | None:
    """Convert a reward; None or NaN, which reward functions may return, becomes None."""
    value = None if cell is None else float(cell)
    return None if value is None or math.isnan(value) else value


def _whole(token: Any) -> int:
    if isinstance(token, bool) or not isinstance(token, int):
        raise TypeError(f"token_ids must be integers, got {token!r}")
    return token


def _prompt(cell: Any) -> Prompt:
    return cell if isinstance(cell, str) else tuple(_message(message) for message in cell)


def _message(message: Any) -> Message:
    if not isinstance(message["content"], str):
        raise TypeError("the content of a message is not text")
    return {"role": str(message["role"]), "content": message["content"]}


def _completion(cell: Any) -> str:
    """Return the text of a completion; if the prompt is messages, TRL writes a list of one message."""
    if isinstance(cell, str):
        return cell
    if len(cell) != 1:
        raise ValueError(f"a completion of {len(cell)} messages: only completions of one message can be imported")
    return _message(cell[0])["content"]
