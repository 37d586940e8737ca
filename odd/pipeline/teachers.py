"""Teachers at work: their models, and their prompts for each question."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from odd.config import ModelConfig, RunConfig, TeacherConfig
from odd.config.teachers import Templates
from odd.models.base import LanguageModel, check_same_vocabulary
from odd.models.registry import load_model
from odd.questions.base import Question
from odd.questions.contexts import ContextUnavailable, Demonstration, with_demonstrations


@dataclass(frozen=True)
class TeacherContext:
    """What a teacher sees before the response.

    `reason` says why there is none, `remark` what a reader of its scores should know.
    """

    teacher: str
    prompt: tuple[int, ...]
    text: str
    demonstrations: tuple[Demonstration, ...]
    reason: str | None = None
    remark: str | None = None

    def row(self) -> dict:
        """Row of the table `contexts`."""
        return {
            "teacher": self.teacher,
            "available": self.reason is None,
            "reason": self.reason or self.remark,
            "prompt_text": self.text,
            "prompt_ids": list(self.prompt),
            "demonstrations": json.dumps([asdict(shown) for shown in self.demonstrations]),
        }


class Models:
    """Student, teachers and the models that write for them, each loaded once."""

    def __init__(self, config: RunConfig, cache: Path) -> None:
        """Load the student."""
        self._cache = cache
        self.student: LanguageModel = load_model(config.student, cache)
        self._loaded: dict[str, LanguageModel] = {config.student.label: self.student}

    def writer(self, model: ModelConfig | None) -> LanguageModel:
        """A model that writes demonstrations or summaries, the student for None. It may have any vocabulary.

        Raises:
            OddError: it cannot be loaded.
        """
        if model is None:
            return self.student
        if model.label not in self._loaded:
            self._loaded[model.label] = load_model(model, self._cache)
        return self._loaded[model.label]

    def teacher(self, teacher: TeacherConfig) -> LanguageModel:
        """The model of a teacher; the student's own where the teacher names none.

        Raises:
            OddError: the model cannot be loaded, or its vocabulary is not the student's.
        """
        model = self.writer(teacher.model)
        if model is not self.student:
            check_same_vocabulary(self.student, model)
        return model

    def load(self, teachers: Sequence[TeacherConfig]) -> None:
        """Load all that teachers need, so that a model that cannot be used is refused before work begins.

        Raises:
            OddError: a model cannot be used.
        """
        for teacher in teachers:
            self.teacher(teacher)
            self.writer(teacher.demonstrations)
            self.writer(teacher.summarizer)


class Shown(Protocol):
    """Where the demonstrations of a question come from: `odd.pipeline.demonstrations`."""

    question: Question
    student: LanguageModel
    wording: Templates

    def of(self, teacher: TeacherConfig, avoid: Sequence[str]) -> tuple[Demonstration, ...]:
        """What a teacher is shown; `avoid`: responses not to show where there are others."""
        ...


def teacher_context(
    teacher: TeacherConfig, material: Shown, window: int | None, longest: int, scored: Sequence[str] = ()
) -> TeacherContext:
    """The prompt of a teacher for a question.

    What it shows depends on the seed and the question, so that teachers of like context see the same demonstrations,
    and a teacher that is added later sees what it would have seen at first. The student's chat format is used for all
    teachers, as all share its token ids.

    Args:
        teacher: which context.
        material: where its demonstrations come from.
        window: tokens the teacher's model can take; None for any number.
        longest: tokens of the longest response that follows.
        scored: responses that the teacher will score.
    """
    try:
        shown = material.of(teacher, scored)
    except ContextUnavailable as error:
        return TeacherContext(teacher.name, (), "", (), str(error))
    wording, block = teacher.templates(material.wording), material.question.block(material.wording)
    if shown:
        block = with_demonstrations(block, shown, teacher.summarized, wording)
    messages = material.question.messages(block, material.wording)
    prompt = tuple(material.student.encode_chat(messages))
    reason = None
    if window is not None and len(prompt) + longest > window:
        reason = f"prompt of {len(prompt)} and response of {longest} tokens do not fit the window of {window}"
    seen = {response for one in shown for response in (one.text, one.response)}
    remark = "shows a response that it also scores: there is no other" if seen & {*scored} else None
    return TeacherContext(teacher.name, prompt, material.student.render_chat(messages), shown, reason, remark)
