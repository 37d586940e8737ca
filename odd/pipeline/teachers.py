"""Models of a run: the student, its teachers, and the models that write for them.

If they do not fit in memory together, they take turns.
"""

from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path

from odd.config import ModelConfig, RunConfig, TeacherConfig
from odd.models.base import Derivatives, LanguageModel, check_same_vocabulary
from odd.models.registry import load_model
from odd.models.residency import Residency
from odd.pipeline.budget import resident_models


class Models:
    """Student, teachers, and the models that write for them, each loaded once."""

    def __init__(self, config: RunConfig, cache: Path) -> None:
        """Load the student.

        Raises:
            OddError: it cannot be loaded or asked, or the models do not fit in memory even one at a time.
        """
        most = resident_models(config)
        self.residency = None if most is None else Residency(most)
        self._cache, self._day = cache, config.date
        self._label, self._checked = config.student.label, set[str]()
        self._loaded: dict[str, LanguageModel] = {}
        self.writer(config.student).check_student(config.sampling.temperature)

    @property
    def student(self) -> LanguageModel:
        """The student."""
        return self._loaded[self._label]

    def derivatives(self, pattern: str | None) -> Derivatives:
        """Return the student's derivatives; it then stays in memory.

        Raises:
            OddError: its engine has none, or no weight matches the pattern.
        """
        student = self.student if self.residency is None else self.residency.get(self._label)
        return student.derivatives(pattern)

    def date_prompts(self, day: date) -> None:
        """Let the prompts of all models show `day` where their chat templates show today's date."""
        self._day = day
        self._loaded = {label: model.dated(day) for label, model in self._loaded.items()}

    def _model(self, model: ModelConfig) -> LanguageModel:
        if model.label not in self._loaded:
            load = partial(load_model, model, self._cache)
            loaded = load() if self.residency is None else self.residency.add(model.label, model.device, load)
            self._loaded[model.label] = loaded if self._day is None else loaded.dated(self._day)
        return self._loaded[model.label]

    def writer(self, model: ModelConfig | None) -> LanguageModel:
        """Return a model that writes demonstrations or summaries, the student for None. Any vocabulary is allowed.

        Raises:
            OddError: the model cannot be loaded or asked.
        """
        if model is None:
            return self.student
        found = self._model(model)
        if model.label not in self._checked:
            found.check_chat()
            self._checked.add(model.label)
        return found

    def teacher(self, teacher: TeacherConfig) -> LanguageModel:
        """Return the model of a teacher, the student's if the teacher names none.

        Raises:
            OddError: the model cannot be loaded, or its vocabulary is not the student's.
        """
        if teacher.model is None or teacher.model.label == self._label:
            return self.student
        model = self._model(teacher.model)
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
