"""What a page shows, as the query parameters of its address.

A link carries identifiers only and carries all of them, defaults too, so that it keeps its meaning when defaults
change. `ViewState.from_query` of `ViewState.to_query` is the identity. What an address says is untrusted: every part
is checked here for its form; whether a run has such a thing is looked up in `odd.views.resolve`.
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
LONGEST = 1000
"""Characters of a part beyond which an address is not read."""
MOST = 400
"""Values of a repeated part beyond which an address is not read; streamlit drops addresses of more than 1,000."""


PARAMETERS = {"position": "token"}
"""Names of parameters that differ from the names of the fields: addresses that were once shared stay valid."""

NO_BRANCH: dict[str, Any] = {"node": None, "unfolded": (), "folded": ()}
"""Parts that name nodes of one question's tree, with nothing selected: they do not apply to another question."""
AT_START: dict[str, Any] = {"path": None, "position": None, **NO_BRANCH}
"""Parts that name places in one question, as it is first looked at: its first path, nothing pinned or selected."""


@dataclass(frozen=True)
class ViewState:
    """The complete state of the dashboard; every page keeps the parts it does not use.

    Attributes:
        run: run id.
        question: id of the question.
        path: number of the path in the question.
        position: of the pinned token on the path; `token` in an address.
        node: node of the branch that is selected in the tree.
        unfolded: nodes whose rarer branches are shown.
        folded: nodes whose subtrees are collapsed.
        teacher: the teacher of the tree page.
        teachers: those that are compared.
        baseline: the one that the others are compared with.
        show: on the compare page, scores or differences to the baseline.
        objective: label of the distillation objective.
        convention: label of the convention.
        colour: what the colour of a token stands for: key of a measure.
        decisions: whether only decision points are coloured.
        children: least |S_u| of a coloured token.
        visits: least visits of a coloured token, summed over S_u.
        outcome: which paths the findings take.
        difficulty: which questions are listed, and count for the findings.
        kind: kind of answer of the questions that count for the findings.
        runs: further runs whose findings stand beside those of the run.
        section: part of the page Findings that is shown.
        reference: student and benchmark of the paper whose numbers stand beside the findings.
        behind: finding and row whose tokens are listed, as "finding:row".
        having: listed questions have decision points, or every teacher.
        search: text that listed questions contain.
        sort: column that questions are listed by; a leading "-" means falling.
        screened: which questions of a screening are listed.
        reference: student and question set of the paper whose numbers stand beside.
    """

    run: str | None = None
    question: str | None = None
    path: int | None = None
    position: int | None = None
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

    def but(self, **changes: Any) -> Self:
        """The same view with some parts changed."""
        return replace(self, **changes)

    def to_query(self) -> dict[str, list[str]]:
        """Query parameters, every part written out; what is not chosen is an empty text."""
        return {PARAMETERS.get(field.name, field.name): _texts(getattr(self, field.name)) for field in fields(self)}

    def pairs(self) -> list[list[str]]:
        """Query parameters as pairs of name and value, one for each value of a repeated one."""
        return [[name, value] for name, values in self.to_query().items() for value in values]

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> tuple[Self, list[str]]:
        """Read query parameters.

        Returns:
            The view, and one sentence for each part that could not be read and was left at its default. Parameters
            that are none of ours are passed over.
        """
        values, problems, hints = {}, [], get_type_hints(cls)
        parts = {PARAMETERS.get(field.name, field.name): field.name for field in fields(cls)}
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
    """Parts of a view under the names of the query parameters."""
    return {PARAMETERS.get(name, name): value for name, value in parts.items()}


def _texts(value: Any) -> list[str]:
    if isinstance(value, tuple):
        return [str(part) for part in value] or [""]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return ["" if value is None else str(value)]


OPTIONS: dict[str, Callable[[], Collection[str]]] = {"colour": colours}
"""Parts whose values come from a registry."""


def _check(name: str, value: Any) -> None:
    """Refuse what is not among the options of a part."""
    if name in OPTIONS and value not in (options := OPTIONS[name]()):
        raise ValueError(f"{value!r} is not one of {', '.join(options)}")


def _parse(kind: Any, texts: list[str]) -> Any:
    """Values of one parameter as the type of its field.

    Raises:
        ValueError: they have another form; the message completes "the link's X ...".
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
        # isdecimal alone would let digits of other scripts pass
        if not (text.isascii() and text.isdecimal() and len(text) <= 9):
            raise ValueError(f"is not a whole number: {text!r}")
        return int(text)
    if get_origin(kind) is Literal and text not in get_args(kind):
        raise ValueError(f"{text!r} is not one of {', '.join(get_args(kind))}")
    return text
