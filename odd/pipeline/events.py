"""Events of the work on a question: changes to the run file, committed together, and progress steps.

The work does not depend on the consumer of its events: `odd.pipeline.consumer` writes them to a run file, a test may
collect them, and a worker thread or process may send them to the writing process. So events are plain data, name their
question, and do not depend on the handling of earlier events.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import pandas as pd

from odd.pipeline.stages import Stage


@dataclass(frozen=True)
class Insert:
    """Append rows to a table; missing columns become NULL."""

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
    """Add the tokens of the question's rollouts, with their bytes, to the vocabulary; known tokens are skipped."""

    tokens: Mapping[int, bytes]


@dataclass(frozen=True)
class NoteModel:
    """Record the digest of a model that writes demonstrations or summaries; it must not change during the run."""

    label: str
    name: str
    digest: str


def timing(question: int, stage: Stage, seconds: float, items: int, tokens: int, teacher: str | None = None) -> Insert:
    """Return the event that records the cost of a piece of work in the table `timings`."""
    return timings(question, stage, {teacher: seconds}, items, tokens)


def timings(question: int, stage: Stage, seconds: Mapping[str | None, float], items: int, tokens: int) -> Insert:
    """Return the event that records the cost of the same piece of work for several teachers."""
    work = {"question": question, "stage": stage.value, "items": items, "tokens": tokens}
    return Insert("timings", [work | {"teacher": teacher, "seconds": spent} for teacher, spent in seconds.items()])


Change = Insert | Update | Delete | SpellTokens | NoteModel


@dataclass(frozen=True)
class Commit:
    """Changes to the run file in one transaction.

    `publish` controls publication afterwards: never, once the interval between publications has passed, or as soon as
    publishing takes a small enough share of the time.
    """

    changes: tuple[Change, ...] = ()
    publish: Literal["never", "if_due", "now"] = "never"


@dataclass(frozen=True)
class Step:
    """Progress of one stage of a question.

    Attributes:
        question: number of the question.
        stage: the stage.
        done: rollouts, tries or paths finished in this stage.
        total: number that this stage needs.
        tokens: tokens generated or scored in this stage.
        seconds: duration of this stage so far.
    """

    question: int
    stage: Stage
    done: int
    total: int
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Use:
    """The work goes on with this model, which should be in memory.

    Attributes:
        label: label of the model's settings.
    """

    label: str


Event = Commit | Step | Use

Result = TypeVar("Result")
Events = Generator[Event, None, Result]
"""Generator that yields events and returns a result."""
