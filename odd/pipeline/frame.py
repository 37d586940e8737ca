"""What everything that works on a run shares: the run file, the settings, the models, and the frame in the file."""

import json
from collections.abc import Sequence
from pathlib import Path

from odd.config import RunConfig, fingerprint
from odd.errors import OddError
from odd.models.base import LanguageModel, check_window
from odd.pipeline.progress import Listener, Progress
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.store import RunWriter


def run_id_of(config: RunConfig, questions: Sequence[Question], models: Models) -> str:
    """Name of the run that is made of these questions with these settings."""
    described = [question.model_dump(mode="json") for question in questions]
    return f"{config.title}-{fingerprint(config, described, models.student.digest)}"


class Frame:
    """A run that is worked on.

    Attributes:
        writer: of its file.
        run_id: its name.
        config: its settings.
        questions: what is asked.
        models: student, teachers, and who writes for them.
        listen: is told of progress.
        digests: of the weights that were used: the student's under "", a teacher's under its name, those of models
            that write demonstrations or summaries under "model:" and their label.
    """

    def __init__(
        self,
        writer: RunWriter,
        run_id: str,
        config: RunConfig,
        questions: Sequence[Question],
        models: Models,
        listen: Listener,
    ) -> None:
        """Hold them."""
        self.writer, self.run_id, self.config, self.questions = writer, run_id, config, questions
        self.models, self.listen = models, listen
        self.digests = {"": models.student.digest}

    def create_questions(self) -> None:
        """Write the questions of a new run.

        Raises:
            OddError: the student has no room for one.
        """
        self.writer.set_meta("questions", json.dumps([question.model_dump_json() for question in self.questions]))
        rows = []
        for number, question in enumerate(self.questions):
            messages = question.messages(templates=self.config.templates)
            prompt = self.models.student.encode_chat(messages)
            student, response = self.models.student, self.config.sampling.max_new_tokens
            check_window(student, f"question {question.id!r}", len(prompt), response)
            rows.append(
                {
                    "question": number,
                    "id": question.id,
                    "text": question.question,
                    "choices": list(question.choices),
                    "answer": question.answer,
                    "kind": question.kind,
                    "prompt_text": self.models.student.render_chat(messages),
                    "prompt_ids": prompt,
                    "stage": "new",
                    "difficulty": None,
                    "note": None,
                }
            )
        self.writer.insert("questions", rows)

    def set_config(self) -> None:
        """Write down the settings."""
        analysis = self.config.analysis
        self.writer.set_meta("config", self.config.model_dump_json())
        self.writer.set_meta("digests", json.dumps(self.digests))
        self.writer.set_meta("objectives", ",".join(objective.label for objective in analysis.objectives))
        self.writer.set_meta("conventions", ",".join(convention.label for convention in analysis.conventions))

    def check_digest(self, name: str, model: LanguageModel) -> None:
        """Refuse to go on with weights that are not those the run was made with.

        Raises:
            OddError: they have changed.
        """
        if self.digests.get(name, model.digest) != model.digest:
            whose = "of the student" if not name else f"of teacher {name!r}"
            if name.startswith("model:"):
                whose = "that writes demonstrations"
            raise OddError(
                f"model {model.name!r} {whose} has changed since run {self.run_id!r} was made: restore it, or start "
                "another run with another title"
            )

    def writing_model(self, label: str, model: LanguageModel) -> None:
        """Note that a model writes demonstrations or summaries for the run, with the weights it has now.

        Raises:
            OddError: it wrote for the run before, with other weights.
        """
        self.check_digest(key := f"model:{label}", model)
        if key not in self.digests:
            self.digests[key] = model.digest
            self.writer.set_meta("digests", json.dumps(self.digests))

    def publish_as(self, status: str) -> None:
        """Publish what there is, with the status of the run."""
        with self.writer.transaction():
            self.writer.set_meta("status", status)
        self.writer.publish()

    def finish(self, status: str) -> Path:
        """Publish the last state, and let others write; the path of the published file."""
        with self.writer.transaction():
            self.writer.set_meta("status", status)
        self.writer.finish()
        self.report("done", len(self.questions) - 1, 1, 1)
        return self.writer.published

    def report(self, stage: str, question: int, done: int, total: int, tokens: int = 0, seconds: float = 0.0) -> None:
        """Tell the listener."""
        self.listen(Progress(self.run_id, stage, question, len(self.questions), done, total, tokens, seconds))
