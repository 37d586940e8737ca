"""A question: its text, gold answer and prompt."""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, field_validator, model_validator

from odd.config.teachers import Templates
from odd.questions.contexts import DEFAULT_TEMPLATES, question_block
from odd.questions.isolated import LONGEST_EXPRESSION
from odd.questions.numbers import read_number
from odd.questions.options import LETTERS
from odd.questions.verifiers import compiled, is_correct, plain, read_answer
from odd.text import is_deep, is_unicode, texts_in

Kind = Literal["yes_no", "choice", "number", "expression", "exact", "regex", "reasoning_gym"]


ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
"""Pattern of the id of a question."""


class Shot(BaseModel):
    """A worked example of another question, shown as an earlier turn of the chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(min_length=1)
    choices: tuple[str, ...] = Field(default=(), max_length=10)
    response: str = Field(min_length=1)


class Question(BaseModel):
    """One question with its kind and gold answer; `odd.questions.verifiers` defines the kinds.

    Attributes:
        id: unique name within its set.
        question: text of the question.
        answer: gold answer; a pattern for `regex`; empty if a reasoning-gym generator gives none.
        kind: how a response is verified.
        choices: options, 2 to 10, lettered in the prompt.
        shots: worked examples, shown as earlier turns.
        example: an answer that matches the pattern of a `regex` question.
        metadata: input of the `reasoning_gym` scorer: `generator`, `parameters` and `entry`.
        prompt: complete user message; replaces question, choices and instruction.
        system: system message.
        solution: reference solution, which teachers may be shown.
        hint: hint, which teachers may be shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=ID)
    question: str = Field(min_length=1)
    answer: str
    kind: Kind
    choices: tuple[str, ...] = Field(default=(), max_length=10)
    shots: Annotated[tuple[Shot, ...], FailFast()] = ()
    example: str | None = None
    metadata: dict[str, Any] = {}
    prompt: str | None = Field(default=None, min_length=1)
    system: str | None = Field(default=None, min_length=1)
    solution: str | None = None
    hint: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _text_can_be_written(cls, fields: Any) -> Any:
        if not all(map(is_unicode, texts_in(fields))):
            raise ValueError("it contains text that is not valid Unicode: write it again")
        return fields

    @field_validator("metadata")
    @classmethod
    def _metadata_can_be_written(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        if is_deep(metadata):
            raise ValueError("it is nested too deeply")
        try:
            json.dumps(metadata)
        except (TypeError, ValueError) as error:  # from Parquet: times, bytes
            raise ValueError("it is not JSON: write it with text, numbers, lists and objects only") from error
        return metadata

    @model_validator(mode="after")
    def _answer_fits_kind(self) -> "Question":
        if not self.answer and self.kind != "reasoning_gym":
            raise ValueError("answer must not be empty")
        if self.kind == "yes_no" and self.answer.lower() not in ("yes", "no"):
            raise ValueError(f"the answer of a yes_no question must be yes or no, not {self.answer!r}")
        if self.kind == "choice":
            letters = LETTERS[: len(self.choices)]
            if len(letters) < 2 or self.answer.upper() not in tuple(letters):
                raise ValueError(f"a choice question needs 2 to 10 choices and an answer letter, not {self.answer!r}")
        if self.kind == "regex" and self.example is None:
            raise ValueError("a regex question needs an example: an answer that its pattern matches")
        if self.kind == "reasoning_gym" and not {"generator", "parameters", "entry"} <= self.metadata.keys():
            raise ValueError("the metadata of a reasoning_gym question needs generator, parameters and entry")
        self._gold_is_accepted()
        return self

    def _gold_is_accepted(self) -> None:
        """Check that the verifier accepts the gold answer; otherwise every response would be wrong.

        Raises:
            ValueError: the verifier rejects it.
        """
        if self.kind in ("number", "expression") and len(self.answer) > LONGEST_EXPRESSION:
            raise ValueError(f"the answer of this {self.kind} question has more than {LONGEST_EXPRESSION} characters")
        if self.kind == "number" and read_number(plain(self.answer)) is None:
            raise ValueError(
                f"the answer of this number question must be one number, not {self.answer!r}; "
                "use the kind expression for other mathematics"
            )
        if self.kind == "regex":
            compiled(self.answer)
        if self.kind == "reasoning_gym":
            return  # its scorer may evaluate the answer: that waits until a response is judged
        given = self.example if self.kind == "regex" else self.answer
        if given and not is_correct(self, read_answer(self, f"Answer: {given}")):
            usual = "one line that neither starts nor ends with * _ or `"
            what = f"a pattern that matches its example {given!r}" if self.kind == "regex" else usual
            raise ValueError(f"the answer of this {self.kind} question must be {what}, not {self.answer!r}")

    def block(self, templates: Templates = DEFAULT_TEMPLATES) -> str:
        """Return the user message: `prompt` if set, else question, choices and instruction."""
        return self.prompt or question_block(self.question, self.choices, templates)

    def messages(self, block: str | None = None, templates: Templates = DEFAULT_TEMPLATES) -> list[dict[str, str]]:
        """Return the chat messages; `block` replaces the last user message (used for a teacher's context)."""
        turns = [{"role": "system", "content": self.system}] if self.system else []
        for shot in self.shots:
            turns.append({"role": "user", "content": question_block(shot.question, shot.choices, templates)})
            turns.append({"role": "assistant", "content": shot.response})
        return [*turns, {"role": "user", "content": block or self.block(templates)}]
