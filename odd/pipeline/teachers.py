"""Models of a run: the student, its teachers, and the models that write for them."""

from collections.abc import Sequence
from pathlib import Path

from odd.config import ModelConfig, RunConfig, TeacherConfig
from odd.models.base import LanguageModel, check_same_vocabulary
from odd.models.registry import load_model


class Models:
    """Student, teachers, and the models that write for them, each loaded once."""

    def __init__(self, config: RunConfig, cache: Path) -> None:
        """Load the student."""
        self._cache = cache
        self.student: LanguageModel = load_model(config.student, cache)
        self._loaded: dict[str, LanguageModel] = {config.student.label: self.student}

    def writer(self, model: ModelConfig | None) -> LanguageModel:
        """Return a model that writes demonstrations or summaries, the student for None. Any vocabulary is allowed.

        Raises:
            OddError: the model cannot be loaded.
        """
        if model is None:
            return self.student
        if model.label not in self._loaded:
            self._loaded[model.label] = load_model(model, self._cache)
        return self._loaded[model.label]

    def teacher(self, teacher: TeacherConfig) -> LanguageModel:
        """Return the model of a teacher, the student's if the teacher names none.

        Raises:
            OddError: the model cannot be loaded, or its vocabulary is not the student's.
        """
        model = self.writer(teacher.model)
        if model is not self.student:
            check_same_vocabulary(self.student, model)
        return model

    def load(self, teachers: Sequence[TeacherConfig]) -> None:
        """Load all models of the teachers, to fail before work starts.

        Raises:
            OddError: a model cannot be loaded, or a teacher's vocabulary is not the student's.
        """
        for teacher in teachers:
            self.teacher(teacher)
            self.writer(teacher.demonstrations)
            self.writer(teacher.summarizer)
