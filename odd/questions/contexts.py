"""Contexts added to a question: instructions, worked examples, summaries, reference solutions, hints (method §6).

A teacher is a model plus a context. The context follows the question in the user message: a heading, each example
with a label and inside a fence, and the instruction to answer the question. All wording is in
`odd.config.teachers.Templates`, which the user can replace.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from string import Template

from odd.config.teachers import Column, TeacherConfig, Templates
from odd.errors import OddError
from odd.questions.options import LETTERS

DEFAULT_TEMPLATES = Templates()
OF_QUESTION: dict[Column, str] = {"solution": "the reference solution", "hint": "the hint"}
"""Sources of demonstrations that no model wrote: what the question itself has to show."""


class ContextUnavailable(OddError):
    """No context can be built for a question; the message is the reason stored with the run."""


@dataclass(frozen=True)
class Attempt:
    """A response to a question that may be shown to teachers. Truncated responses are wrong and never shown."""

    text: str
    correct: bool
    truncated: bool = False


@dataclass(frozen=True)
class Demonstration:
    """A worked example.

    Attributes:
        text: the text shown: a response to the same question, or its summary; its reference solution, or its hint.
        correct: whether the response was correct.
        source: label of the model that wrote the response, or one of `OF_QUESTION`.
        summarizer: label of the model that summarised the response; None if it is shown in full.
        response: the full response if `text` is a summary.
    """

    text: str
    correct: bool
    source: str = ""
    summarizer: str | None = None
    response: str | None = None


def question_block(text: str, choices: Sequence[str] = (), templates: Templates = DEFAULT_TEMPLATES) -> str:
    """Return the question, lettered choices and instruction: the user message of a prompt without context."""
    lines = [text, *(f"{letter}) {choice}" for letter, choice in zip(LETTERS, choices, strict=False))]
    return "\n".join([*lines, templates.instruction])


def fenced(text: str) -> str:
    """Fence `text` with more backticks than any run of them inside it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def with_demonstrations(
    block: str,
    demonstrations: Sequence[Demonstration],
    summarized: bool = False,
    templates: Templates = DEFAULT_TEMPLATES,
) -> str:
    """Return the user message of a teacher: the question block followed by labelled demonstrations."""
    examples = []
    for demonstration in demonstrations:
        if summarized:
            label = templates.correct_summary if demonstration.correct else templates.wrong_summary
        else:
            label = templates.correct if demonstration.correct else templates.wrong
        examples.append(Template(templates.example).substitute(label=label, text=fenced(demonstration.text)))
    return Template(templates.message).substitute(
        question=block, heading=templates.heading, examples="\n".join(examples), closing=templates.closing
    )


def with_given(block: str, column: Column, text: str, templates: Templates = DEFAULT_TEMPLATES) -> str:
    """Return the user message of a teacher: the question block followed by its reference solution or hint."""
    example = Template(templates.example).substitute(label=getattr(templates, column), text=fenced(text))
    return Template(templates.given).substitute(question=block, example=example, closing=templates.closing)


def teacher_block(
    block: str, teacher: TeacherConfig, shown: Sequence[Demonstration], templates: Templates = DEFAULT_TEMPLATES
) -> str:
    """Return the user message of a teacher: the question block, and what its context shows."""
    wording = teacher.templates(templates)
    if teacher.column is not None:
        return with_given(block, teacher.column, shown[0].text, wording)
    return with_demonstrations(block, shown, teacher.summarized, wording) if shown else block


def given_by(text: str | None, column: Column) -> Demonstration:
    """Return what a question itself has to show.

    Raises:
        ContextUnavailable: it has none.
    """
    if text is None:
        raise ContextUnavailable(f"the question has no {column}")
    return Demonstration(text, True, OF_QUESTION[column])


def summary_request(block: str, response: str, templates: Templates = DEFAULT_TEMPLATES) -> str:
    """Return the user message that asks a model to summarise a response into its key steps and answer."""
    parts = {"question": block, "summarize": templates.summarize, "text": fenced(response)}
    return Template(templates.request).substitute(parts)


def choose_attempts(
    attempts: Sequence[Attempt], counts: tuple[int, int], avoid: Collection[str], last: bool, source: str
) -> list[Attempt] | None:
    """Choose the tries to show: the first suitable ones in sampling order, correct ones first.

    The choice does not depend on whether another context needs more tries.

    Args:
        attempts: all tries so far.
        counts: required numbers of correct and of wrong tries with distinct texts.
        avoid: responses to show only as a last resort: those that the teacher will score.
        last: whether no further tries are allowed. If so, repeated and avoided texts may be used.
        source: label of the model that was sampled, for the error message.

    Returns:
        The chosen tries; None if some are missing and further tries are allowed.

    Raises:
        ContextUnavailable: some are missing and no further tries are allowed.
    """
    chosen: list[Attempt] = []
    for outcome, count in zip((True, False), counts, strict=True):
        first: dict[str, Attempt] = {}
        repeats: list[Attempt] = []
        for attempt in attempts:
            if attempt.correct != outcome or attempt.truncated:
                continue
            if first.setdefault(attempt.text, attempt) is not attempt:
                repeats.append(attempt)
        fresh = [attempt for text, attempt in first.items() if text not in avoid]
        avoided = [attempt for text, attempt in first.items() if text in avoid]
        if len(fresh) < count and not last:
            return None
        if len(found := [*fresh, *avoided, *repeats]) < count:
            kind = "correct" if outcome else "wrong"
            what = f"no {kind} response" if not found else f"only {len(found)} of {count} {kind} responses"
            raise ContextUnavailable(f"{what} among {len(attempts)} tries of {source}")
        chosen += found[:count]
    return chosen
