"""The state of the dashboard as query parameters of the URL.

A link contains identifiers only, and all of them including defaults, so it keeps its meaning when defaults change.
`ViewState.from_query` inverts `ViewState.to_query`. URLs are untrusted: the form of every parameter is checked here,
and `odd.views.resolve` checks whether the run has what it names.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import NoneType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from odd.findings.choices import Difficulty, Outcome, Reference, Section
from odd.method.measures import colours

Having = Literal["decisions", "teachers"]
Show = Literal["score", "difference"]
Screened = Literal["left out", "kept", "all"]
Part = Literal["all", "thinking", "answer"]
Stage = Literal["all", "initial", "targeted"]
Ended = Literal["all", "correct", "wrong", "truncated", "no answer"]
LONGEST = 1000
"""Maximum length of a parameter, in characters."""
MOST = 400
"""Maximum number of values of a repeated parameter; Streamlit drops URLs with more than 1,000."""


PARAMETERS = {"position": "token"}
"""Parameter names that differ from their field names, so that links shared earlier stay valid."""

NO_BRANCH: dict[str, Any] = {"node": None, "unfolded": (), "folded": ()}
"""Parameters that name nodes of one question's tree, unset: they do not apply to another question."""
AT_PATH: dict[str, Any] = {"position": None, "start": None}
"""Parameters that name places on one path, unset: its first tokens, with nothing pinned."""
NO_ROLLOUT: dict[str, Any] = {"answer": None, "rollout": None, "page": 0}
"""Parameters that name rollouts of one question, unset."""
AT_START: dict[str, Any] = {"path": None, **AT_PATH, **NO_BRANCH, **NO_ROLLOUT}
"""Parameters that name places in one question, unset: its first path, with nothing pinned or selected."""


@dataclass(frozen=True)
class ViewState:
    """The complete state of the dashboard; every page keeps the parameters it does not use.

    Attributes:
        run: run id.
        question: id of the question.
        path: number of the path in the question.
        position: position of the pinned token on the path; `token` in URLs.
        start: first position of the window of a long path that is shown; None: the window with the pinned token.
        part: part of a path that is shown: its thinking part, its answer, or all of it.
        node: node of the selected branch of the tree.
        unfolded: nodes whose rarer branches are shown.
        folded: nodes whose subtrees are collapsed.
        teacher: the teacher of the tree page.
        teachers: the compared teachers.
        baseline: the teacher that the others are compared with.
        show: on the page Compare, scores or differences from the baseline.
        objective: label of the distillation objective.
        convention: label of the convention.
        colour: key of the measure that colours tokens.
        decisions: whether only decision points are coloured.
        children: minimum |S_u| of a coloured token.
        visits: minimum visits of a coloured token, summed over S_u.
        outcome: outcome of the paths in findings.
        difficulty: difficulty of the questions in lists and findings.
        kind: answer kind of the questions in findings.
        runs: further runs to show findings of.
        section: section of the page Findings.
        reference: student and benchmark of the paper to compare with.
        behind: finding and row whose tokens are listed, as "finding:row".
        having: what listed questions must have: decision points, every teacher.
        search: text that listed questions contain.
        sort: column to sort questions by; a leading "-" means descending.
        screened: which questions of a screening are listed.
        find: text to find in the path and in the rollouts of the question.
        answer: answer of the listed rollouts.
        ended: how the listed rollouts ended.
        stage: stage of the listed rollouts.
        page: page of the list of rollouts, from 0.
        rollout: number of the rollout that is read.
    """

    run: str | None = None
    question: str | None = None
    path: int | None = None
    position: int | None = None
    start: int | None = None
    part: Part = "all"
    node: int | None = None
    unfolded: tuple[int, ...] = ()
    folded: tuple[int, ...] = ()
    teacher: str | None = None
    teachers: tuple[str, ...] = ()
    baseline: str | None = None
    show: Show = "score"
    objective: str | None = None
    convention: str | None = None
    colour: str = "alignment"
    decisions: bool = False
    children: int = 2
    visits: int = 0
    outcome: Outcome = "all"
    difficulty: Difficulty = "all"
    kind: str | None = None
    runs: tuple[str, ...] = ()
    section: Section = "teachers"
    reference: Reference = "0.6B-BoolQ"
    behind: str | None = None
    having: tuple[Having, ...] = ()
    search: str = ""
    sort: str = "question"
    screened: Screened = "left out"
    find: str = ""
    answer: str | None = None
    ended: Ended = "all"
    stage: Stage = "all"
    page: int = 0
    rollout: int | None = None

    def but(self, **changes: Any) -> Self:
        """Copy of the view with some parameters changed."""
        return replace(self, **changes)

    def to_query(self) -> dict[str, list[str]]:
        """All query parameters, including defaults; unset ones are empty strings."""
        return parameters({field.name: _texts(getattr(self, field.name)) for field in fields(self)})

    def pairs(self) -> list[list[str]]:
        """Query parameters as [name, value] pairs, one per value of a repeated parameter."""
        return [[name, value] for name, values in self.to_query().items() for value in values]

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> tuple[Self, list[str]]:
        """Read query parameters.

        Returns:
            The view, and one sentence per parameter that could not be read and keeps its default. Unknown parameters
            are ignored.
        """
        values, problems, hints = {}, [], get_type_hints(cls)
        parts = parameters({field.name: field.name for field in fields(cls)})
        for name, texts in query.items():
            if name not in parts:
                continue
            try:
                value = _parse(hints[parts[name]], list(texts))
                _check(name, value)
                values[parts[name]] = value
            except ValueError as error:
                problems.append(f"The link's {name} {error}; the default is shown.")
        return cls(**values), problems


def parameters(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a view under the names of their query parameters."""
    return {PARAMETERS.get(name, name): value for name, value in parts.items()}


def _texts(value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [str(part) for part in value] or [""]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return ["" if value is None else str(value)]


OPTIONS: dict[str, Callable[[], Collection[str]]] = {"colour": colours}
"""Parameters with values from a registry."""


def _check(name: str, value: Any) -> None:
    """Raise ValueError if a value is not among the options of its parameter."""
    if name in OPTIONS and value not in (options := OPTIONS[name]()):
        raise ValueError(f"{value!r} is not one of {', '.join(options)}")


def _parse(kind: Any, texts: list[str]) -> Any:
    """Parse the values of one parameter as the type of its field.

    Raises:
        ValueError: the values are malformed; the message completes "the link's X ...".
    """
    if len(texts) > MOST or any(len(text) > LONGEST for text in texts):
        raise ValueError("is too long")
    if get_origin(kind) is tuple:
        return tuple(_scalar(get_args(kind)[0], text) for text in texts if text)
    text = texts[-1] if texts else ""
    if NoneType in get_args(kind):
        return None if text == "" else _scalar(get_args(kind)[0], text)
    return _scalar(kind, text)


def _scalar(kind: Any, text: str) -> Any:
    if kind is bool:
        if text not in ("yes", "no"):
            raise ValueError(f"is neither yes nor no: {text!r}")
        return text == "yes"
    if kind is int:
        # isdecimal alone accepts digits of other scripts
        if not (text.isascii() and text.isdecimal() and len(text) <= 9):
            raise ValueError(f"is not a whole number: {text!r}")
        return int(text)
    if get_origin(kind) is Literal and text not in get_args(kind):
        raise ValueError(f"{text!r} is not one of {', '.join(get_args(kind))}")
    return text
