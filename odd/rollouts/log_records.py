"""Rollouts of the logs that settings name (docs/import.md): those of the chosen steps, and lines that are damaged."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from odd.config import ImportConfig
from odd.errors import OddError
from odd.rollouts.log_cells import Unclear, listed
from odd.rollouts.log_files import log_files, log_rows
from odd.rollouts.log_formats import GOLDS, NEEDED, Record, is_table, record_of, rows_of
from odd.row_files import Damaged
from odd.text import shortened

# numeric columns of a table by TRL or SWIFT that are not rewards; completion_mask and the like are lists
NO_REWARD = {"step", "gen_step", "advantage", "advantages", "entropy", "num_turns", *GOLDS}
NO_REWARD |= {"id", "index", "idx", "epoch", "level", "difficulty", "year", "seed", "length", "completion_length"}


def read_records(config: ImportConfig) -> list[Record]:
    """Read the rollouts of the logs, only those of the chosen steps, and a record of each damaged line.

    Raises:
        OddError: a file cannot be read, a row has none of the formats (the message names its place), or there are
            several steps and none is chosen.
    """
    records = list(every_record(config.files, config.reward))
    steps = sorted({record.step for record in records if record.step is not None})
    if config.steps:
        if missing := sorted(set(config.steps) - set(steps)):
            raise OddError(
                f"import: no rollout of step {missing[0]}; there are steps {listed(steps)}: choose from these"
            )
        return [record for record in records if record.step in config.steps or record.refusal is not None]
    if len(steps) > 1:
        raise OddError(
            f"import: rollouts of {len(steps)} training steps, {listed(steps)}, come from different checkpoints: "
            "choose the student's with --step N"
        )
    return records


def every_record(files: tuple[str, ...], reward: str | None = None) -> Iterator[Record]:
    """Yield the rollouts of the logs, of all steps, and a record of each damaged line.

    A folder may contain other files, such as metrics; a single record says that such a file is left out.

    Args:
        files: files, and folders of files.
        reward: reward column of tables that have several.

    Raises:
        OddError: a file cannot be read, or a row has none of the formats (the message names its place).
    """
    for path, named in log_files(files):
        yield from _records(path, named, reward)


def has_gold(config: ImportConfig) -> bool:
    """Return whether the logs contain gold answers.

    Raises:
        OddError: as for `read_records`.
    """
    return any(record.gold is not None for record in read_records(config))


def _records(path: Path, named: bool, reward: str | None) -> Iterator[Record]:
    column, fits = reward or _reward_column(path), named
    for place, row in _rows(path):
        if isinstance(row, Damaged):
            yield Record(place, refusal=f"{row.reason}, and its line is left out")
            continue
        try:
            record = record_of(place, row, column if is_table(row) else reward, path)
        except Unclear as error:
            raise OddError(f"{place}: {error}: choose it with --reward NAME") from error
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
            raise OddError(f"{place}: {shortened(str(error))}: fix that row") from error
        if record is None and not fits:
            yield Record(place, refusal=f"its file is not a log of rollouts (columns {listed(list(row))})")
            return
        if record is None:
            raise OddError(f"{place}: columns {listed(list(row))}: a row needs {NEEDED}")
        fits = True
        yield record


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any] | Damaged]]:
    """Yield the rows of a log, those of a table in one line one by one.

    Raises:
        OddError: a line is no object.
    """
    for place, row in log_rows(path):
        if isinstance(row, Damaged):
            yield place, row
            continue
        if not isinstance(row, Mapping):
            raise OddError(f"{place}: not an object: put one JSON object per line, with {NEEDED}")
        try:
            for one in rows_of(row):
                yield place, one
        except ValueError as error:
            raise OddError(f"{place}: {error}: fix that row") from error


def _reward_column(path: Path) -> str | None:
    """Return the reward column of a table by TRL or SWIFT; None for other logs, and for tables without rewards.

    Raises:
        OddError: several columns may be the reward.
    """
    numeric = set[str]()
    for _, row in _rows(path):
        if not isinstance(row, Damaged) and is_table(row):
            numeric |= {name for name, cell in row.items() if isinstance(cell, int | float)} - NO_REWARD
    if "reward" in numeric:
        return "reward"
    if len(numeric) > 1:
        found = listed(sorted(numeric))
        raise OddError(f"import {path}: the numeric columns {found} may be the reward: choose it with --reward COLUMN")
    return numeric.pop() if numeric else None
