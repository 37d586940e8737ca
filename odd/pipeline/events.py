"""What the work on a question yields: changes of the run file that are committed together, and steps of progress.

The work does not know who consumes its events: `odd.pipeline.consumer` writes them to a run file; a test may collect
them, and work in a thread or in another process may send them to the one that writes. So events are plain data, they
name their question, and nothing in them depends on what became of earlier ones.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pandas as pd

from odd.pipeline.stages import Stage


@dataclass(frozen=True)
class Insert:
    """Append rows to a table; columns that are not given become NULL."""

    table: str
    rows: pd.DataFrame | list[dict[str, Any]]


@dataclass(frozen=True)
class Update:
    """Set columns of the rows whose columns equal `where`."""

    table: str
    values: Mapping[str, Any]
    where: Mapping[str, Any]


@dataclass(frozen=True)
class Delete:
    """Delete the rows whose columns equal `where`."""

    table: str
    where: Mapping[str, Any]


@dataclass(frozen=True)
class SpellTokens:
    """Spell out the tokens of the question's rollouts, by their bytes; a run file does so once for each token."""

    tokens: Mapping[int, bytes]


@dataclass(frozen=True)
class NoteModel:
    """Note that a model writes demonstrations or summaries: its weights must be the same throughout the run."""

    label: str
    name: str
    digest: str


def timing(question: int, stage: Stage, seconds: float, items: int, tokens: int, teacher: str | None = None) -> Insert:
    """Note what a piece of work cost: a row of the table `timings`."""
    row = {"question": question, "stage": stage.value, "teacher": teacher}
    return Insert("timings", [row | {"seconds": seconds, "items": items, "tokens": tokens}])


Change = Insert | Update | Delete | SpellTokens | NoteModel


@dataclass(frozen=True)
class Commit:
    """Changes of the run file that are committed together or not at all.

    `publish` says whether the state after them is worth publishing: not by itself, when the interval between
    publications has passed, or as soon as publishing costs little enough of the time.
    """

    changes: tuple[Change, ...] = ()
    publish: Literal["never", "if_due", "now"] = "never"


@dataclass(frozen=True)
class Step:
    """How far a stage of a question is.

    Attributes:
        question: its number.
        stage: which stage.
        done: rollouts, tries or paths finished in this stage.
        total: how many this stage needs.
        tokens: tokens generated or scored in this stage.
        seconds: time that this stage has taken.
    """

    question: int
    stage: Stage
    done: int
    total: int
    tokens: int = 0
    seconds: float = 0.0


Event = Commit | Step

Result = TypeVar("Result")
Events = Generator[Event, None, Result]
"""A piece of work: yields events and returns a result."""
