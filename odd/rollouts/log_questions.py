"""Questions of logs that come without a question file: their prompts, and the gold answers or rewarded responses."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import StringConstraints, TypeAdapter, ValidationError

from odd.config.models import LoggedKind
from odd.questions.answers import extract_answer
from odd.questions.base import ID, Question
from odd.questions.numbers import read_number
from odd.questions.verifiers import is_correct, is_tex, plain
from odd.rollouts.log_formats import Record
from odd.rollouts.log_prompts import Messages, Prompts, Refused

IDS = TypeAdapter(Annotated[str, StringConstraints(strict=True, pattern=ID)])


@dataclass
class _Found:
    """What the logs say about one prompt.

    Attributes:
        messages: its messages.
        id: id that the log gives its question; None if it gives none.
        golds: its gold answers, in order.
        rewarded: answers of responses that are correct by their reward.
    """

    messages: Messages
    id: str | None
    golds: list[str] = field(default_factory=list)
    rewarded: list[str] = field(default_factory=list)


def logged_questions(
    records: Iterable[Record], prompts: Prompts, kind: LoggedKind | None, threshold: float, limit: int | None
) -> list[Question]:
    """Make questions of the prompts of a log. A prompt without a usable answer makes none.

    The answer is the gold answer of the log. Without one, and with a `kind`, it is the answer of the rewarded
    responses to the prompt: of several, the one that most of them give.

    Args:
        records: rollouts of the log.
        prompts: recovers the messages of the prompts.
        kind: how responses are verified; None: by the form of the gold answer.
        threshold: a reward above it means correct.
        limit: largest number of questions; None for all.
    """
    found: dict[str, _Found] = {}
    for record in records:
        try:
            messages = None if record.refusal is not None else prompts.messages(record)
        except Refused:  # counted when the rollouts are read
            continue
        if messages is None:
            continue
        one = found.setdefault(json.dumps(messages), _Found(messages, record.question))
        if record.gold is not None:
            one.golds.append(record.gold)
        elif record.reward is not None and record.reward > threshold:
            one.rewarded += (
                [answer] if (answer := extract_answer(prompts.response(record), marks=prompts.marks)) else []
            )
    width = len(str(len(found)))
    given = Counter(one.id for one in found.values())
    made = []
    for number, one in enumerate(found.values(), start=1):
        own = one.id if one.id is not None and given[one.id] == 1 and _is_id(one.id) else None
        made.append(_question(own or f"prompt-{number:0{width}}", one, kind))
    return [question for question in made if question is not None][:limit]


def _is_id(text: str) -> bool:
    """Return whether a text can be the id of a question, and is not like those that are made here."""
    try:
        return not IDS.validate_python(text).startswith("prompt-")
    except ValidationError:
        return False


def _question(id: str, found: _Found, kind: LoggedKind | None) -> Question | None:
    if not found.golds and (kind is None or not found.rewarded):
        return None
    *before, last = found.messages
    if [one["role"] for one in before] not in ([], ["system"]):
        return None
    fields: dict[str, Any] = {"id": id, "question": last["content"], "prompt": last["content"]}
    if before:
        fields["system"] = before[0]["content"] or None
    if found.golds:
        return gold_question(fields, found.golds[0], kind)
    candidates = [_valid(fields | {"answer": _written(text, str(kind)), "kind": kind}) for text in set(found.rewarded)]
    possible = [question for question in candidates if question is not None]
    return max(possible, key=lambda one: (_agreeing(one, found.rewarded), one.answer), default=None)


def gold_question(fields: Mapping[str, Any], gold: str, kind: LoggedKind | None = None) -> Question | None:
    """Return a question with a gold answer of a log; None if no verifier takes it.

    Args:
        fields: id, text and prompt of the question.
        gold: gold answer.
        kind: how responses are verified; None: by the form of the gold answer.
    """
    for how in (kind,) if kind else (_kind(gold), "exact"):
        if (question := _valid({**fields, "answer": _written(gold, how), "kind": how})) is not None:
            return question
    return None


def _valid(fields: Mapping[str, Any]) -> Question | None:
    try:
        return Question.model_validate(fields)
    except ValidationError:
        return None


def _agreeing(question: Question, answers: Sequence[str]) -> int:
    return sum(is_correct(question, answer) for answer in answers)


def _kind(gold: str) -> LoggedKind:
    """Return how responses with this gold answer are verified."""
    if gold.lower() in ("yes", "no"):
        return "yes_no"
    if read_number(plain(gold)) is not None:
        return "number"
    # a single letter is an option, which may stand in brackets
    return "expression" if is_tex(gold) or len(gold) == 1 or any(sign.isdigit() for sign in gold) else "exact"


def _written(gold: str, kind: str) -> str:
    return gold.lower() if kind == "yes_no" else gold
