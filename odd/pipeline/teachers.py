"""The models of a run: the student, its teachers, and those that write for them."""

from collections.abc import Sequence
from pathlib import Path

from odd.config import ModelConfig, RunConfig, TeacherConfig
from odd.models.base import LanguageModel, check_same_vocabulary
from odd.models.registry import load_model


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
