"""A question: its text, its gold answer, and the prompt that asks it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from odd.config.teachers import Templates
from odd.questions.contexts import DEFAULT_TEMPLATES, question_block
from odd.questions.verifiers import compiled, is_correct, is_tex, parse_number, plain, read_answer

Kind = Literal["yes_no", "choice", "number", "expression", "exact", "regex", "reasoning_gym"]


class Shot(BaseModel):
    """A worked example of another question, shown as an earlier turn of the chat."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(min_length=1)
    choices: tuple[str, ...] = Field(default=(), max_length=10)
    response: str = Field(min_length=1)


class Question(BaseModel):
    """One question with its verifier's kind and gold answer; `odd.questions.verifiers` says what the kinds mean.

    Attributes:
        id: name in its set.
        question: what is asked.
        answer: gold answer; a pattern for `regex`; empty where a generator of reasoning-gym gives none.
        kind: how a response is verified.
        choices: options, 2 to 10, lettered in the prompt.
        shots: worked examples that become earlier turns.
        example: an answer that the pattern of a `regex` question accepts.
        metadata: of `reasoning_gym`, what the scorer needs: `generator`, `parameters` and `entry`.
        prompt: the whole user message in the place of question, choices and instruction.
        system: a system message.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    question: str = Field(min_length=1)
    answer: str
    kind: Kind
    choices: tuple[str, ...] = Field(default=(), max_length=10)
    shots: tuple[Shot, ...] = ()
    example: str | None = None
    metadata: dict[str, Any] = {}
    prompt: str | None = Field(default=None, min_length=1)
    system: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _answer_fits_kind(self) -> "Question":
        if not self.answer and self.kind != "reasoning_gym":
            raise ValueError("answer must not be empty")
        if self.kind == "yes_no" and self.answer.lower() not in ("yes", "no"):
            raise ValueError(f"the answer of a yes_no question is yes or no, not {self.answer!r}")
        if self.kind == "choice":
            letters = "ABCDEFGHIJ"[: len(self.choices)]
            if len(letters) < 2 or self.answer.upper() not in tuple(letters):
                raise ValueError(f"a choice question needs 2 to 10 choices and an answer letter, not {self.answer!r}")
        if self.kind == "regex" and self.example is None:
            raise ValueError("a regex question needs an example, an answer that its pattern accepts")
        if self.kind == "reasoning_gym" and not {"generator", "parameters", "entry"} <= self.metadata.keys():
            raise ValueError("the metadata of a reasoning_gym question holds its generator, parameters and entry")
        self._gold_is_accepted()
        return self

    def _gold_is_accepted(self) -> None:
        """A gold answer that its own verifier refuses would make every response wrong.

        Raises:
            ValueError: it does.
        """
        if self.kind == "number" and (is_tex(self.answer) or parse_number(plain(self.answer)) is None):
            raise ValueError(
                f"the answer of this number question must be one number, not {self.answer!r}; "
                "other mathematics is of the kind expression"
            )
        if self.kind == "regex":
            compiled(self.answer)
        given = self.example if self.kind == "regex" else self.answer
        if given and not is_correct(self, read_answer(self, f"Answer: {given}")):
            what = {
                "regex": f"a pattern that accepts its example {given!r}",
                "reasoning_gym": "one that its generator's scorer gives full marks",
            }.get(self.kind, "one line that stays as it is when * _ and ` are stripped")
            raise ValueError(f"the answer of this {self.kind} question must be {what}, not {self.answer!r}")

    def block(self, templates: Templates = DEFAULT_TEMPLATES) -> str:
        """The user message: question, choices, instruction; or the prompt that stands for them."""
        return self.prompt or question_block(self.question, self.choices, templates)

    def messages(self, block: str | None = None, templates: Templates = DEFAULT_TEMPLATES) -> list[dict[str, str]]:
        """The chat that asks the question; `block` replaces the last user message (a teacher's context)."""
        turns = [{"role": "system", "content": self.system}] if self.system else []
        for shot in self.shots:
            turns.append({"role": "user", "content": question_block(shot.question, shot.choices, templates)})
            turns.append({"role": "assistant", "content": shot.response})
        return [*turns, {"role": "user", "content": block or self.block(templates)}]
