"""What a teacher sees before the response: its prompt for a question, with demonstrations where it has a context."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from odd.config import SamplingConfig, TeacherConfig
from odd.pipeline.demonstrations import Demonstrations
from odd.pipeline.events import Events
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

    def row(self) -> dict[str, Any]:
        """Row of the table `contexts`, without the question."""
        return {
            "teacher": self.teacher,
            "available": self.reason is None,
            "reason": self.reason or self.remark,
            "prompt_text": self.text,
            "prompt_ids": list(self.prompt),
            "demonstrations": json.dumps([asdict(shown) for shown in self.demonstrations]),
        }


def teacher_temperature(teacher: TeacherConfig, sampling: SamplingConfig) -> float:
    """The temperature of a teacher: a self-teacher is the sampled student with another prompt, so has the student's."""
    return sampling.temperature if teacher.model is None else 1.0


def teacher_context(
    teacher: TeacherConfig,
    demonstrations: Demonstrations,
    window: int | None,
    longest: int,
    scored: Sequence[str] = (),
) -> Events[TeacherContext]:
    """The prompt of a teacher for a question.

    What it shows depends on the seed and the question, so that teachers of like context see the same demonstrations,
    and a teacher that is added later sees what it would have seen at first. The student's chat format is used for all
    teachers, as all share its token ids.

    Args:
        teacher: which context.
        demonstrations: of the question.
        window: tokens the teacher's model can take; None for any number.
        longest: tokens of the longest response that follows.
        scored: responses that the teacher will score.
    """
    try:
        shown = yield from demonstrations.of(teacher, scored)
    except ContextUnavailable as error:
        return TeacherContext(teacher.name, (), "", (), str(error))
    question, student, templates = demonstrations.question, demonstrations.student, demonstrations.templates
    wording = teacher.templates(templates)
    block = question.block(templates)
    if shown:
        block = with_demonstrations(block, shown, teacher.summarized, wording)
    messages = question.messages(block, templates)
    prompt = tuple(student.tokenizer.encode_chat(messages))
    reason = None
    if window is not None and len(prompt) + longest > window:
        reason = f"prompt of {len(prompt)} and response of {longest} tokens do not fit the window of {window}"
    seen = {response for one in shown for response in (one.text, one.response)}
    remark = "shows a response that it also scores: there is no other" if seen & {*scored} else None
    return TeacherContext(teacher.name, prompt, student.tokenizer.render_chat(messages), shown, reason, remark)
