"""What is put before a question: instructions, worked examples, summaries (method §6).

A teacher is a model plus a context. The context goes into the user message, after the question: a heading, one line
saying what each example is, the example in a fence, and the instruction to answer oneself. All wording stands in
`Templates`, which a user can replace.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from odd.config import ContextKind
from odd.errors import OddError

# how many correct and wrong responses each context shows
SHOWN: dict[ContextKind, tuple[int, int]] = {"none": (0, 0), "1c": (1, 0), "1c1w": (1, 1)}


@dataclass(frozen=True)
class Demonstration:
    """A worked example: the text of a response to the same question, and whether its answer was right."""

    text: str
    correct: bool


@dataclass(frozen=True)
class Templates:
    """The wording of prompts; the embedded `tiny` family was trained on the defaults."""

    instruction: str = 'Think step by step. End with a line "Answer: X".'
    heading: str = "Worked examples"
    correct: str = "A correct response to this question:"
    wrong: str = "A wrong response to this question, do not imitate it:"
    correct_summary: str = "A summary of a correct response to this question:"
    wrong_summary: str = "A summary of a wrong response to this question, do not imitate it:"
    closing: str = "Now answer the question yourself, thinking included."
    summarize: str = "Summarize this response to its key steps and its answer:"


DEFAULT_TEMPLATES = Templates()


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
    parts = [block, "", templates.heading]
    for demonstration in demonstrations:
        if summarized:
            label = templates.correct_summary if demonstration.correct else templates.wrong_summary
        else:
            label = templates.correct if demonstration.correct else templates.wrong
        parts += [label, fenced(demonstration.text)]
    return "\n".join([*parts, templates.closing])


def summary_request(block: str, response: str, templates: Templates = DEFAULT_TEMPLATES) -> str:
    """The user message that asks a model to summarise a response to its key steps and answer."""
    return "\n".join([block, "", templates.summarize, fenced(response)])


class ContextUnavailable(OddError):
    """A context cannot be made for a question; the message is the reason that is stored with the run."""


def choose_demonstrations(
    kind: ContextKind,
    texts: Sequence[str],
    correct: Sequence[bool],
    avoid: Sequence[str],
    rng: np.random.Generator,
) -> list[Demonstration]:
    """Draw the demonstrations of a context from finished responses, right ones first.

    Args:
        kind: which context.
        texts: responses to the question that ended by themselves.
        correct: whether each one's answer was right.
        avoid: responses not to show where there are others: those that the teacher will be asked to score.
        rng: source of the choice.

    Raises:
        ContextUnavailable: there are too few correct or wrong responses.
    """
    shown: list[Demonstration] = []
    for outcome, count in zip((True, False), SHOWN[kind], strict=True):
        pool = [text for text, right in zip(texts, correct, strict=True) if right == outcome]
        pool = [text for text in pool if text not in avoid] or pool
        if len(pool) < count:
            what = "correct" if outcome else "wrong"
            raise ContextUnavailable(f"no {what} response of the student to show")
        chosen = rng.choice(len(pool), size=count, replace=False) if count else []
        shown += [Demonstration(pool[int(i)], outcome) for i in chosen]
    return shown
