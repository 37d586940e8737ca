"""Stages of the work on a question, in order."""

from enum import StrEnum
from typing import Literal, Self

Kind = Literal["run", "screening", "influence"]
_RUN: tuple[Kind, ...] = ("run",)
_SCREENING: tuple[Kind, ...] = ("screening",)
_INFLUENCE: tuple[Kind, ...] = ("influence",)


class Stage(StrEnum):
    """A stage; its value is used in progress files and in the table `timings`.

    Attributes:
        label: text for users.
        kinds: whether the stage is part of runs, of screenings, or of neither.
        seldom: whether most runs lack it.
    """

    label: str
    kinds: tuple[Kind, ...]
    seldom: bool

    def __new__(cls, value: str, label: str, kinds: tuple[Kind, ...], seldom: bool = False) -> Self:
        """Create a member from its declaration."""
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
    SUCCESS_GRADIENT = "success_gradient", "gradient of success", _INFLUENCE
    INFLUENCE = "influence", "influence of tokens", _INFLUENCE
    DONE = "done", "finished", ()

    @classmethod
    def of(cls, kind: Kind) -> tuple["Stage", ...]:
        """Return the stages of a run, of a screening, or of the influence of tokens."""
        return tuple(stage for stage in cls if kind in stage.kinds)
