"""Match logged prompts to questions and recover their chat messages.

All rollouts of a question share one prompt, so the run uses the prompt of the log, whatever its wording: messages as
they are, text by inverting the student's chat template. Logs contain text either as rendered by the template (TRL) or
decoded without control tokens (verl).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from odd.config.teachers import Templates
from odd.errors import OddError
from odd.models.base import LanguageModel, Message
from odd.questions.base import Question
from odd.questions.contexts import DEFAULT_TEMPLATES
from odd.rollouts.log_cells import Prompt
from odd.rollouts.log_formats import Record
from odd.text import is_unicode

Messages = list[dict[str, str]]
# placeholders for message contents while a template is inverted
MARKS = {"user": "qzxuserqzx", "system": "qzxsystemqzx"}
SHAPES = (("user",), ("system", "user"))


class Refused(Exception):
    """A rollout cannot be imported; the message is the reason, identical for all rows with that problem."""


Render = Callable[[Messages], str]


@dataclass(frozen=True)
class Form:
    """Format of the rendered prompts with one sequence of roles.

    Attributes:
        around: text before, between and after the contents of the messages.
        shape: roles of the messages, in the order of the text.
        end: text after the content of the last message, stripped.
        render: renders messages as text.
    """

    around: tuple[str, ...]
    shape: tuple[str, ...]
    end: str
    render: Render

    def contents(self, text: str) -> list[str] | None:
        """Return the contents of the messages in a prompt; None if it has another form.

        A text that could be divided in several ways is divided at the first place.
        """
        before, *between, after = self.around
        if len(text) < len(before) + len(after) or not (text.startswith(before) and text.endswith(after)):
            return None
        found, rest = [], text[len(before) : len(text) - len(after)]
        for mark in between:
            content, marked, rest = rest.partition(mark)
            if not marked:
                return None
            found.append(content)
        return [*found, rest]


@dataclass(frozen=True)
class Asked:
    """Index of a question, and the messages of its prompt."""

    question: int
    messages: Messages


class Prompts:
    """Matches logged prompts to questions.

    Attributes:
        marks: marks of a thinking part of the student's responses beside the usual ones.
    """

    def __init__(
        self, student: LanguageModel, questions: Sequence[Question], templates: Templates = DEFAULT_TEMPLATES
    ) -> None:
        """Invert the student's chat template; `templates` is the wording of the run's prompts."""
        self._questions, self._student, self.marks = questions, student, student.thinking_marks
        self._plain = [question.messages(templates=templates) for question in questions]
        self._numbers = {question.id: number for number, question in enumerate(questions)}
        self._forms: list[Form] = []
        self._known: dict[str, Messages | None] = {}
        self._matches: dict[str, list[int]] = {}
        self._date = (
            ", which shows a date: give that of the log with --set date=YYYY-MM-DD" if student.date_formats else ""
        )
        tokenizer = student.tokenizer
        for render in (
            tokenizer.render_chat,
            lambda messages: tokenizer.decode(tokenizer.encode_chat(messages)),
        ):
            self._forms += [form for shape in SHAPES if (form := _form(render, shape)) is not None]
            for messages in self._plain:
                self._known.setdefault(render(messages), messages)

    def asked(self, record: Record) -> Asked:
        """Return the question and messages that a rollout responds to.

        Raises:
            Refused: the rollout matches no question, or its prompt cannot be used.
        """
        messages = self.messages(record)
        if record.question is not None:
            if record.question not in self._numbers:
                raise Refused("no question has this id")
            number = self._numbers[record.question]
            return Asked(number, self._plain[number] if messages is None else messages)
        if messages is None:
            raise Refused("it has neither question nor prompt")
        return Asked(self._number(messages), messages)

    def messages(self, record: Record) -> Messages | None:
        """Return the messages of a record's prompt; None if it has none.

        Raises:
            Refused: they cannot be recovered, or their token ids are not those of the log.
        """
        if record.prompt is not None and record.prompt_ids is None:
            return self._messages(record.prompt)
        if record.prompt_ids is None:
            return None
        if any(not 0 <= token < self._student.scorer.vocabulary_size for token in record.prompt_ids):
            raise Refused("a token id of its prompt is not in the student's vocabulary")
        messages = self._messages(record.prompt or self._student.tokenizer.decode(record.prompt_ids))
        if tuple(self._student.tokenizer.encode_chat(messages)) != record.prompt_ids:
            raise Refused("the token ids of its prompt are not those of the student's chat template")
        return messages

    def response(self, record: Record) -> str:
        """Return the text of a record's response; empty if it has none, or token ids that the student does not know."""
        tokens = record.token_ids or ()
        known = all(0 <= token < self._student.scorer.vocabulary_size for token in tokens)
        return record.response or (self._student.tokenizer.decode(tokens) if known else "")

    def _messages(self, prompt: Prompt) -> Messages:
        if not all(map(is_unicode, (prompt,) if isinstance(prompt, str) else map(_content, prompt))):
            raise Refused("its prompt is not valid Unicode")
        if not isinstance(prompt, str):
            return [dict(message) for message in prompt]
        if prompt not in self._known:
            self._known[prompt] = self._inverted(prompt)
        found = self._known[prompt]
        if found is None:
            raise Refused(f"its prompt does not match the student's chat template{self._date}")
        return found

    def _inverted(self, text: str) -> Messages | None:
        """Return the messages that the template renders as `text`; None if there are none."""
        for form in self._forms:
            found = form.contents(text)
            # without control tokens, further turns look like part of the last message
            if found is None or (form.end and form.end in found[-1]):
                continue
            messages = [{"role": role, "content": content} for role, content in zip(form.shape, found, strict=True)]
            if form.render(messages) == text:
                return messages
        return None

    def _number(self, messages: Messages) -> int:
        """Return the index of the question whose text and choices the last message contains.

        If the text of one matching question contains that of another, the longer one counts.

        Raises:
            Refused: no question or several match.
        """
        key = json.dumps(messages)
        if key not in self._matches:
            self._matches[key] = self._matching(messages)
        whole = self._matches[key]
        if len(whole) != 1:
            raise Refused(f"its prompt contains the text of {'several questions' if whole else 'no question'}")
        return whole[0]

    def _matching(self, messages: Messages) -> list[int]:
        """Return the indices of the questions that match, at most two."""
        if messages in self._plain:
            return [self._plain.index(messages)]
        return contained(self._questions, messages[-1]["content"] if messages else "")


def contained(questions: Sequence[Question], prompt: str) -> list[int]:
    """Return the indices of the questions whose text and choices a prompt contains, at most two.

    If the text of one contains that of another, the longer one counts.
    """
    found = {
        number: question.question.strip()
        for number, question in enumerate(questions)
        if all(part.strip() in prompt for part in (question.question, *question.choices))
    }
    whole: list[int] = []
    for number, text in sorted(found.items(), key=lambda item: -len(item[1])):
        # a text inside another that is not whole is inside the whole one, too
        if not whole or text == found[whole[0]] or text not in found[whole[0]]:
            whole.append(number)
        if len(whole) == 2:
            break
    return whole


def _content(message: Message) -> str:
    return message["content"]


def _form(render: Render, shape: tuple[str, ...]) -> Form | None:
    """Return the form of prompts with these roles; None if it cannot be inverted."""
    try:
        text = render([{"role": role, "content": MARKS[role]} for role in shape])
    except OddError:
        return None
    if any(text.count(MARKS[role]) != 1 for role in shape):
        return None
    around, rest = [], text
    for role in shape:
        before, found, rest = rest.partition(MARKS[role])
        if not found or (around and not before):  # in another order, or not separated
            return None
        around.append(before)
    return Form((*around, rest), shape, rest.strip(), render)


def with_prompt(question: Question, messages: Messages, templates: Templates = DEFAULT_TEMPLATES) -> Question:
    """Return the question with these messages as its prompt, in place of the one from `templates`.

    Raises:
        Refused: the messages are not a user message, optionally after a system message.
    """
    if messages == question.messages(templates=templates):
        return question
    if tuple(message["role"] for message in messages) not in SHAPES:
        raise Refused("its prompt has turns other than a system and a user message")
    system = messages[0]["content"] if len(messages) > 1 else None
    return question.model_copy(update={"prompt": messages[-1]["content"], "system": system or None, "shots": ()})
