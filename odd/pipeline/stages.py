"""The stages of a question's work, in order. Whatever shows or times them takes the list from here."""

from enum import StrEnum
from typing import Literal, Self

Kind = Literal["run", "screening"]
_RUN: tuple[Kind, ...] = ("run",)
_SCREENING: tuple[Kind, ...] = ("screening",)


class Stage(StrEnum):
    """A stage; its value stands in progress files and in the table `timings`.

    Attributes:
        label: what people are shown.
        kinds: whether questions of runs, of screenings, or of both go through it.
        seldom: whether most runs do without it.
    """

    label: str
    kinds: tuple[Kind, ...]
    seldom: bool

    def __new__(cls, value: str, label: str, kinds: tuple[Kind, ...], seldom: bool = False) -> Self:
        """Make a member from its declaration."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.label, member.kinds, member.seldom = label, kinds, seldom
        return member

    INITIAL = "initial", "initial rollouts", (*_RUN, *_SCREENING)
    DEMONSTRATIONS = "demonstrations", "demonstrations for teachers", (*_RUN, *_SCREENING)
    CONTEXTS = "contexts", "rollouts with a context", _SCREENING
    PLAN = "plan", "teachers score the paths", _RUN
    TARGETED = "targeted", "targeted rollouts", _RUN
    READ = "read", "all rollouts scored", _RUN, True
    SCORE = "score", "gradients and scores", _RUN
    DONE = "done", "finished", ()

    @classmethod
    def of(cls, kind: Kind) -> tuple["Stage", ...]:
        """The stages that questions of a run or of a screening go through."""
        return tuple(stage for stage in cls if kind in stage.kinds)
