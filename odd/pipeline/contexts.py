"""Prompt of a teacher for a question, with demonstrations if it has a context."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from odd.config import SamplingConfig, TeacherConfig
from odd.models.base import encode_prompt
from odd.pipeline.demonstrations import Demonstrations
from odd.pipeline.events import Events
from odd.questions.contexts import ContextUnavailable, Demonstration, teacher_block


@dataclass(frozen=True)
class TeacherContext:
    """Prompt of a teacher for one question.

    `reason` is set if no prompt can be built; `remark` is a caveat about the teacher's scores.
    """

    teacher: str
    prompt: tuple[int, ...]
    text: str
    demonstrations: tuple[Demonstration, ...]
    reason: str | None = None
    remark: str | None = None

    def row(self) -> dict[str, Any]:
        """Return the row of the table `contexts`, without the question."""
        return {
            "teacher": self.teacher,
            "available": self.reason is None,
            "reason": self.reason or self.remark,
            "prompt_text": self.text,
            "prompt_ids": list(self.prompt),
            "demonstrations": json.dumps([asdict(shown) for shown in self.demonstrations]),
        }


def teacher_temperature(teacher: TeacherConfig, sampling: SamplingConfig) -> float:
    """Return a teacher's temperature: its own setting, or that at which the student is sampled.

    So a folder with the student's weights scores like the student, at any temperature.
    """
    return sampling.temperature if teacher.temperature is None else teacher.temperature


def teacher_context(
    teacher: TeacherConfig,
    demonstrations: Demonstrations,
    window: int | None,
    longest: int,
    scored: Sequence[str] = (),
    known_tokens: int | None = None,
) -> Events[TeacherContext]:
    """Build the prompt of a teacher for a question.

    The demonstrations depend only on the seed and the question: teachers with the same context see the same
    demonstrations, whether they are in the original run or added later. All teachers use the student's chat template,
    as they share its token ids.

    Args:
        teacher: the teacher.
        demonstrations: demonstrations for the question.
        window: context window of the teacher's model in tokens; None if unlimited.
        longest: length in tokens of the longest response after the prompt.
        scored: responses that the teacher will score.
        known_tokens: tokens that are known of each of its distributions; None: all.
    """
    try:
        shown = yield from demonstrations.of(teacher, scored)
    except ContextUnavailable as error:
        return TeacherContext(teacher.name, (), "", (), str(error))
    question, student, templates = demonstrations.question, demonstrations.student, demonstrations.templates
    block = teacher_block(question.block(templates), teacher, shown, templates)
    messages = question.messages(block, templates)
    prompt = tuple(encode_prompt(student, messages))
    reason = None
    if window is not None and len(prompt) + longest > window:
        reason = f"prompt of {len(prompt)} and response of {longest} tokens do not fit the window of {window}"
    seen = {response for one in shown for response in (one.text, one.response)}
    remarks = ["shows a response that it also scores: there is no other"] if seen & {*scored} else []
    if known_tokens is not None:
        remarks.append(f"only the top {known_tokens} tokens of its distributions are known: see docs/servers.md")
    remark = "; ".join(remarks) or None
    return TeacherContext(teacher.name, prompt, student.tokenizer.render_chat(messages), shown, reason, remark)
