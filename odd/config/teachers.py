"""Settings of teachers: model, context, prompt wording, and how demonstrations are sampled (method §6).

As in `odd.config.run`, all defaults are defined here.
"""

from string import Template
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from odd.config.models import ModelConfig
from odd.settings import Positive, Settings

ContextKind = Literal["none", "1c", "1c1w", "3c", "sum_1c", "sum_1c1w", "solution", "hint"]
Column = Literal["solution", "hint"]


class Context(NamedTuple):
    """Correct and wrong responses that a teacher is shown, whole or as summaries, and a label for them.

    `column` is what the question itself has to show, in place of responses.
    """

    correct: int
    wrong: int
    summarized: bool
    label: str
    column: Column | None = None


CONTEXTS: dict[ContextKind, Context] = {
    "none": Context(0, 0, False, "the question alone"),
    "1c": Context(1, 0, False, "with a correct response"),
    "1c1w": Context(1, 1, False, "with a correct and a wrong response"),
    "3c": Context(3, 0, False, "with three correct responses"),
    "sum_1c": Context(1, 0, True, "with the summary of a correct response"),
    "sum_1c1w": Context(1, 1, True, "with the summaries of a correct and a wrong response"),
    "solution": Context(0, 0, False, "with the question's reference solution", "solution"),
    "hint": Context(0, 0, False, "with the question's hint", "hint"),
}
_HOLDS = {"message": ("question", "heading", "examples", "closing"), "example": ("label", "text")}
_HOLDS["given"] = ("question", "example", "closing")
_HOLDS["request"] = ("question", "summarize", "text")


class Templates(Settings):
    """The wording of prompts; the embedded `tiny` family was trained on the defaults.

    `message`, `example` and `request` are templates: $name inserts a part, $$ is a dollar sign.
    """

    instruction: str = 'Think step by step. End with a line "Answer: X".'
    heading: str = "Worked examples"
    correct: str = "A correct response to this question:"
    wrong: str = "A wrong response to this question, do not imitate it:"
    correct_summary: str = "A summary of a correct response to this question:"
    wrong_summary: str = "A summary of a wrong response to this question, do not imitate it:"
    solution: str = "The reference solution of this question:"
    hint: str = "A hint for this question:"
    closing: str = "Now answer the question yourself, thinking included."
    summarize: str = "Summarize this response to its key steps and its answer:"
    message: str = "$question\n\n$heading\n$examples\n$closing"
    given: str = Field(default="$question\n\n$example\n$closing", description="shows a solution or a hint")
    example: str = Field(default="$label\n$text", description="$text is inserted as a fenced block")
    request: str = Field(default="$question\n\n$summarize\n$text", description="asks for a summary")

    @model_validator(mode="after")
    def _placeholders_are_known(self) -> "Templates":
        for name, parts in _HOLDS.items():
            template = Template(getattr(self, name))
            known = template.is_valid() and set(template.get_identifiers()) <= set(parts)
            if not known:
                raise ValueError(f"{name} may contain {', '.join('$' + part for part in parts)}, and $$ for a dollar")
        if "examples" not in Template(self.message).get_identifiers():
            raise ValueError("message must contain $examples")
        if "example" not in Template(self.given).get_identifiers():
            raise ValueError("given must contain $example")
        if not all("text" in Template(form).get_identifiers() for form in (self.example, self.request)):
            raise ValueError("example and request must contain $text")
        return self


class DemonstrationsConfig(Settings):
    """How the responses shown to teachers are sampled: in batches, until there are enough."""

    temperature: float = Field(default=0.7, ge=0.01, le=100)
    tries: Positive = Field(default=60, description="maximum per question and source model")
    batch_size: Positive = Field(default=10, description="tries sampled together; changes what a seed draws")
    summary_tries: Positive = Field(
        default=8, description="a summary must be complete and have the outcome of its response"
    )

    @model_validator(mode="after")
    def _tries_are_whole_batches(self) -> "DemonstrationsConfig":
        if self.tries % self.batch_size:
            raise ValueError(
                f"tries = {self.tries} is not a whole number of batches: make it a multiple of {self.batch_size}"
            )
        return self


class TeacherConfig(Settings):
    """A teacher: a model plus a context. `model = None` is the student itself (self-distillation)."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._()+-]{0,59}$")
    model: ModelConfig | None = None
    context: ContextKind = "none"
    demonstrations: ModelConfig | None = Field(
        default=None, description="model that samples the responses shown; None: the student"
    )
    summarizer: ModelConfig | None = Field(default=None, description="for sum_ contexts; None: the student")
    template: dict[str, str] = Field(default={}, description="the run's templates to replace for this teacher")
    temperature: float | None = Field(
        default=None, ge=0.01, le=100, description="divisor of its logits; None: the sampling temperature"
    )

    @model_validator(mode="after")
    def _settings_fit_the_context(self) -> "TeacherConfig":
        if self.context == "none" and (self.demonstrations or self.template):
            raise ValueError(f"teacher {self.name!r} is shown nothing, as its context is none: choose another context")
        if self.column and self.demonstrations:
            raise ValueError(
                f"teacher {self.name!r} is shown the {self.column} of the question, which no model writes: remove its "
                "demonstrations"
            )
        if self.summarizer and not self.summarized:
            raise ValueError(f"teacher {self.name!r} has a summarizer but no summaries: choose a sum_ context")
        if unknown := set(self.template) - (set(Templates.model_fields) - {"instruction"}):
            # the instruction is part of the question, which the student is also asked
            parts = ", ".join(name for name in Templates.model_fields if name != "instruction")
            raise ValueError(f"template of teacher {self.name!r}: no part {min(unknown)!r}; choose from {parts}")
        try:
            self.templates(Templates())
        except ValidationError as error:
            message = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(f"template of teacher {self.name!r}: {message}") from error
        return self

    @property
    def drawn_by(self) -> dict[str, Any]:
        """The settings that determine which forced tokens it chooses, if it is a guide."""
        models = {"model": self.model, "demonstrations": self.demonstrations, "summarizer": self.summarizer}
        own = {name: model.drawn_by for name, model in models.items() if model is not None}
        own |= {"context": self.context, "template": self.template}
        return own if self.temperature is None else own | {"temperature": self.temperature}

    @property
    def is_student_in_context(self) -> bool:
        """Whether it is the student with a context."""
        return self.model is None and self.context != "none"

    @property
    def shown(self) -> tuple[int, int]:
        """How many correct and wrong responses it is shown."""
        return CONTEXTS[self.context][:2]

    @property
    def column(self) -> Column | None:
        """What of the question itself it is shown, in place of responses."""
        return CONTEXTS[self.context].column

    @property
    def summarized(self) -> bool:
        """Whether it is shown summaries."""
        return CONTEXTS[self.context].summarized

    def templates(self, of_run: Templates) -> Templates:
        """Return the run's templates with this teacher's replacements applied."""
        return Templates.model_validate(of_run.model_dump() | self.template)


_TINY_L = ModelConfig(name="tiny-l")
SELF_CHECK = TeacherConfig(name="Self-check")
SELF_TEACHERS = TeacherConfig(name="Self-1C", context="1c"), TeacherConfig(name="Self-1C1W", context="1c1w")
SELF_3C = TeacherConfig(name="Self-3C", context="3c")
TINY_L = TeacherConfig(name="tiny-l", model=_TINY_L)
PAPER_TEACHERS = (
    *SELF_TEACHERS,
    TeacherConfig(name="Self-Sum-1C", context="sum_1c", summarizer=_TINY_L),
    TeacherConfig(name="Self-Sum-1C1W", context="sum_1c1w", summarizer=_TINY_L),
    TeacherConfig(name="Self-1C (tiny-l)", context="1c", demonstrations=_TINY_L),
    TINY_L,
    TeacherConfig(name="tiny-m", model=ModelConfig(name="tiny-m")),
    TeacherConfig(name="tiny-xl", model=ModelConfig(name="tiny-xl")),
)
"""The paper's teachers for the student `tiny-s`: five contexts and three larger models.

The ninth is `SELF_3C`, which the paper uses in its screening only.
"""
