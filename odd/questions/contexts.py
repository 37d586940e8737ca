"""What is put before a question: instructions, worked examples, summaries (method §6).

A teacher is a model plus a context. The context goes into the user message, after the question: a heading, one line
saying what each example is, the example in a fence, and the instruction to answer oneself. All wording stands in
`odd.config.teachers.Templates`, which a user can replace.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from string import Template

from odd.config.teachers import Templates
from odd.errors import OddError

DEFAULT_TEMPLATES = Templates()


@dataclass(frozen=True)
class Attempt:
    """A response to a question that may be shown to teachers. A truncated one is wrong and never shown."""

    text: str
    correct: bool
    truncated: bool = False


@dataclass(frozen=True)
class Demonstration:
    """A worked example.

    Attributes:
        text: what is shown: a response to the same question, or its summary.
        correct: whether the response was right.
        source: label of the model that wrote the response.
        summarizer: label of the model that summarised it; None: it is shown whole.
        response: the response, where a summary of it is shown.
    """

    text: str
    correct: bool
    source: str = ""
    summarizer: str | None = None
    response: str | None = None


def question_block(text: str, choices: Sequence[str] = (), templates: Templates = DEFAULT_TEMPLATES) -> str:
    """The question with its choices, lettered, and the instruction: the whole user message of a plain prompt."""
    lines = [text, *(f"{letter}) {choice}" for letter, choice in zip("ABCDEFGHIJ", choices, strict=False))]
    return "\n".join([*lines, templates.instruction])


def fenced(text: str) -> str:
    """`text` between fences longer than any run of backticks inside it."""
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
    """The user message of a teacher: the question block followed by labelled demonstrations."""
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


def summary_request(block: str, response: str, templates: Templates = DEFAULT_TEMPLATES) -> str:
    """The user message that asks a model to summarise a response to its key steps and answer."""
    parts = {"question": block, "summarize": templates.summarize, "text": fenced(response)}
    return Template(templates.request).substitute(parts)


class ContextUnavailable(OddError):
    """A context cannot be made for a question; the message is the reason that is stored with the run."""


def choose_attempts(
    attempts: Sequence[Attempt], counts: tuple[int, int], avoid: Collection[str], last: bool, source: str
) -> list[Attempt] | None:
    """Choose what to show: the first that fit, in the order they were tried, correct ones first.

    So what a context shows does not depend on which others ask for more tries.

    Args:
        attempts: all tries so far.
        counts: how many correct and how many wrong ones are wanted; each text once.
        avoid: responses not to show where there are others: those that the teacher will be asked to score.
        last: whether no further try is allowed. Then texts that repeat, or are to be avoided, have to do.
        source: who tried, for the reason.

    Returns:
        The attempts; None if more tries may find what is missing.

    Raises:
        ContextUnavailable: there is too little to show, and no further try.
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
