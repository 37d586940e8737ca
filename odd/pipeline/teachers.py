"""Teachers at work: their models, their prompts for each question, and their distributions along paths."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from odd.config import RunConfig, TeacherConfig
from odd.contexts import ContextUnavailable, Demonstration, choose_demonstrations, with_demonstrations
from odd.models.base import LanguageModel, check_same_vocabulary
from odd.models.registry import load_model
from odd.questions.base import Question
from odd.rollouts import Rollout, derived_seed


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
    """Student and teacher models of a run, each loaded once; vocabularies are checked as they are loaded."""

    def __init__(self, config: RunConfig, cache: Path) -> None:
        """Load the student."""
        self._cache = cache
        self.student: LanguageModel = load_model(config.student, cache)
        self._loaded: dict[str, LanguageModel] = {config.student.model_dump_json(): self.student}

    def teacher(self, teacher: TeacherConfig) -> LanguageModel:
        """The model of a teacher; the student's own where the teacher names none.

        Raises:
            OddError: the model cannot be loaded, or its vocabulary is not the student's.
        """
        if teacher.model is None:
            return self.student
        key = teacher.model.model_dump_json()
        if key not in self._loaded:
            model = load_model(teacher.model, self._cache)
            check_same_vocabulary(self.student, model)
            self._loaded[key] = model
        return self._loaded[key]


def teacher_context(
    teacher: TeacherConfig,
    student: LanguageModel,
    window: int | None,
    question: Question,
    initial: Sequence[Rollout],
    path_rollouts: Sequence[int],
    seed: int,
) -> TeacherContext:
    """The prompt of a teacher for a question, with demonstrations from the student's initial rollouts.

    The choice depends on the seed and the question, so that teachers of like context see the same demonstrations, and
    a teacher that is added later sees what it would have seen at first.

    Args:
        teacher: which context.
        student: its chat format is used for all teachers, as all share its token ids.
        window: tokens the teacher's model can take; None for any number.
        question: what is asked.
        initial: the initial rollouts.
        path_rollouts: indices of those that the teacher will score.
        seed: of the choice.
    """
    finished = [rollout for rollout in initial if not rollout.truncated]
    texts, outcomes = [rollout.text for rollout in finished], [rollout.correct for rollout in finished]
    scored = [initial[i].text for i in path_rollouts]
    rng = np.random.default_rng([seed, derived_seed(question.id, "demonstrations")])
    try:
        shown = choose_demonstrations(teacher.context, texts, outcomes, scored, rng)
    except ContextUnavailable as error:
        return TeacherContext(teacher.name, (), "", (), str(error))
    block = with_demonstrations(question.block, shown) if shown else question.block
    messages = question.messages(block)
    prompt = tuple(student.encode_chat(messages))
    longest = max((len(initial[i].token_ids) for i in path_rollouts), default=0)
    reason = None
    if window is not None and len(prompt) + longest > window:
        reason = f"prompt of {len(prompt)} and response of {longest} tokens do not fit the window of {window}"
    remark = "shows a response that it also scores: there is no other" if {s.text for s in shown} & {*scored} else None
    return TeacherContext(teacher.name, prompt, student.render_chat(messages), tuple(shown), reason, remark)
