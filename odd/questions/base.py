"""A question: its text, its gold answer, and the prompt that asks it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from odd.contexts import DEFAULT_TEMPLATES, question_block
from odd.questions.verifiers import extract_answer, is_correct
from odd.teacher_settings import Templates

Kind = Literal["yes_no", "choice", "number", "exact"]


class Shot(BaseModel):
    """A worked example of another question, shown as an earlier turn of the chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(min_length=1)
    choices: tuple[str, ...] = Field(default=(), max_length=10)
    response: str = Field(min_length=1)


class Question(BaseModel):
    """One question with its verifier's kind and gold answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    question: str = Field(min_length=1)
    answer: str = Field(min_length=1)
    kind: Kind
    choices: tuple[str, ...] = Field(default=(), max_length=10)
    shots: tuple[Shot, ...] = ()

    @model_validator(mode="after")
    def _answer_fits_kind(self) -> "Question":
        if self.kind == "yes_no" and self.answer.lower() not in ("yes", "no"):
            raise ValueError(f"the answer of a yes_no question is yes or no, not {self.answer!r}")
        if self.kind == "choice":
            letters = "ABCDEFGHIJ"[: len(self.choices)]
            if len(letters) < 2 or self.answer.upper() not in tuple(letters):
                raise ValueError(f"a choice question needs 2 to 10 choices and an answer letter, not {self.answer!r}")
        # a gold answer that its own verifier refuses would make every response wrong
        if not is_correct(self, extract_answer(f"Answer: {self.answer}")):
            what = "one number" if self.kind == "number" else "one line that stays as it is when * _ and ` are stripped"
            raise ValueError(f"the answer of this {self.kind} question must be {what}, not {self.answer!r}")
        return self

    def block(self, templates: Templates = DEFAULT_TEMPLATES) -> str:
        """The user message: question, choices, instruction."""
        return question_block(self.question, self.choices, templates)

    def messages(self, block: str | None = None, templates: Templates = DEFAULT_TEMPLATES) -> list[dict[str, str]]:
        """The chat that asks the question; `block` replaces the last user message (a teacher's context)."""
        turns: list[dict[str, str]] = []
        for shot in self.shots:
            turns.append({"role": "user", "content": question_block(shot.question, shot.choices, templates)})
            turns.append({"role": "assistant", "content": shot.response})
        return [*turns, {"role": "user", "content": block or self.block(templates)}]
