"""What a teacher is given for a question: its prompt, who wrote what it is shown, and how many tries that took."""

from dataclasses import dataclass
from typing import Any

from odd.findings.words import short
from odd.store.run import Run
from odd.text import parse_json


@dataclass(frozen=True)
class Example:
    """A demonstration; `response` is what its summary was made of, None where it is shown whole."""

    title: str
    text: str
    response: str | None


@dataclass(frozen=True)
class Given:
    """What a teacher is given. All texts are untrusted.

    Attributes:
        prompt: template included; None where it could not be made.
        reason: why not, or what a reader of its scores should know.
        examples: what it is shown.
        tries: a sentence for each model that wrote them.
    """

    prompt: str | None
    reason: str | None
    examples: tuple[Example, ...]
    tries: tuple[str, ...]


def given_to(run: Run, question: int, teacher: str | None) -> Given | None:
    """What a teacher is given for a question; None if that is not known yet."""
    contexts = run.query("contexts", question=question)
    own = contexts[contexts["teacher"] == teacher].to_dict("records")
    if not own:
        return None
    row = own[0]
    shown = _demonstrations(row["demonstrations"])
    sources = {_text(one.get("source")) for one in shown}
    tries = [
        f"{short(one['source'])} was right in {one['correct']} of {one['tries']} tries at temperature "
        f"{one['temperature']:g}, wrong in {one['wrong']}, and cut in {one['truncated']}."
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
    """The demonstrations that a run file says were shown; it may say anything."""
    try:
        parsed = parse_json(stored) if isinstance(stored, str) else []
    except ValueError:
        return []
    return [one for one in parsed if isinstance(one, dict)] if isinstance(parsed, list) else []


def _example(one: dict[str, Any]) -> Example:
    kind = "correct" if one.get("correct") is True else "wrong"
    whose = f" of {short(source)}" if (source := _text(one.get("source"))) else ""
    title = f"a {kind} response{whose}"
    if summarizer := _text(one.get("summarizer")):
        title += f", summarised by {short(summarizer)}"
    return Example(title, _text(one.get("text")), _text(one.get("response")) or None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
