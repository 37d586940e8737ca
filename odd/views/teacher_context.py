"""Context of a teacher for a question: its prompt, its demonstrations, and how many tries they took."""

from dataclasses import dataclass
from typing import Any

from odd.findings.words import short
from odd.questions.contexts import OF_QUESTION
from odd.store.run import Run
from odd.text import parse_json


@dataclass(frozen=True)
class Example:
    """A demonstration; `response` is the response that `text` summarises, None if it is shown in full."""

    title: str
    text: str
    response: str | None


@dataclass(frozen=True)
class Given:
    """Context of a teacher. All texts are untrusted.

    Attributes:
        prompt: full prompt, including the template; None if it could not be built.
        reason: why not, or a caveat about its scores.
        examples: demonstrations in the prompt.
        tries: one sentence per model that wrote them.
    """

    prompt: str | None
    reason: str | None
    examples: tuple[Example, ...]
    tries: tuple[str, ...]


def given_to(run: Run, question: int, teacher: str | None) -> Given | None:
    """Context of a teacher for a question; None if it is not known yet."""
    contexts = run.query("contexts", question=question)
    own = contexts[contexts["teacher"] == teacher].to_dict("records")
    if not own:
        return None
    row = own[0]
    shown = _demonstrations(row["demonstrations"])
    sources = {_text(one.get("source")) for one in shown}
    tries = [
        f"{short(one['source'])} was correct in {one['correct']} of {one['tries']} tries at temperature "
        f"{one['temperature']:g}, wrong in {one['wrong']}, and truncated in {one['truncated']}."
        for one in run.query("demonstrations", question=question).to_dict("records")
        if one["source"] in sources
    ]
    return Given(
        prompt=_text(row["prompt_text"]) or None,
        reason=_text(row["reason"]) or None,
        examples=tuple(map(_example, shown)),
        tries=tuple(tries),
    )


def _demonstrations(stored: Any) -> list[dict[str, Any]]:
    """Parse the demonstrations in a run file, which are untrusted."""
    try:
        parsed = parse_json(stored) if isinstance(stored, str) else []
    except ValueError:
        return []
    return [one for one in parsed if isinstance(one, dict)] if isinstance(parsed, list) else []


def _example(one: dict[str, Any]) -> Example:
    if one.get("source") in OF_QUESTION.values():
        return Example(f"{one['source']} of the question", _text(one.get("text")), None)
    kind = "correct" if one.get("correct") is True else "wrong"
    whose = f" by {short(source)}" if (source := _text(one.get("source"))) else ""
    title = f"a {kind} response{whose}"
    if summarizer := _text(one.get("summarizer")):
        title += f", summarised by {short(summarizer)}"
    return Example(title, _text(one.get("text")), _text(one.get("response")) or None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
