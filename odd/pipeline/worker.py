"""The worker: carries a run from its questions to its scores, one question after the other.

Everything a question needs is drawn from seeds of its own, and rollouts are committed chunk by chunk. What was not
committed is done again with the same result, so a run that was killed equals one that was not.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from odd.config import RunConfig, TeacherConfig, fingerprint, parse_config
from odd.errors import OddError
from odd.pipeline import state
from odd.pipeline.progress import Listener, Progress
from odd.pipeline.question import QuestionWork
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.questions.sources import load_questions
from odd.store import RunWriter

SCORE_TABLES = ("teacher_tokens", "node_teachers", "scores", "gradients")
TREE_TABLES = ("nodes", "path_tokens")


def run(config: RunConfig, listen: Listener) -> Path:
    """Make a run, or take up one that was interrupted; the path of its published file.

    Teachers of `config` that an existing run lacks are added to it without sampling.

    Raises:
        OddError: questions, models or settings that cannot be used; no room on disk.
    """
    questions = load_questions(config.questions)
    run_id = f"{config.title}-{fingerprint(config, [question.model_dump(mode='json') for question in questions])}"
    models = Models(config, config.cache)
    for teacher in config.teachers:
        models.teacher(teacher)
    config.cache.mkdir(parents=True, exist_ok=True)
    with RunWriter(config.cache, run_id) as writer:
        worker = Worker(writer, run_id, config, questions, models, listen)
        worker.prepare()
        return worker.work()


def teach(cache: Path, run_id: str, teachers: Sequence[TeacherConfig], listen: Listener) -> Path:
    """Add teachers to a finished run; samples nothing.

    Raises:
        OddError: there is no such run, it is not finished, or a teacher cannot be used.
    """
    with RunWriter(cache, run_id) as writer:
        meta = writer.meta()
        if meta.get("status") != "finished":
            raise OddError(f"run {run_id!r} is not finished: finish it with python -m odd run before adding teachers")
        stored = parse_config(json.loads(meta["config"]))
        config = parse_config(
            stored.model_dump(mode="json")
            | {"teachers": [t.model_dump(mode="json") for t in (*stored.teachers, *teachers)], "cache": str(cache)}
        )
        models = Models(config, cache)
        for teacher in teachers:
            models.teacher(teacher)
        worker = Worker(writer, run_id, config, stored_questions(writer), models, listen)
        worker.prepare()
        return worker.work()


def stored_questions(writer: RunWriter) -> list[Question]:
    """The questions of a run as they were when it was made."""
    return [Question.model_validate_json(text) for text in json.loads(writer.meta()["questions"])]


class Worker:
    """One run at work."""

    def __init__(
        self,
        writer: RunWriter,
        run_id: str,
        config: RunConfig,
        questions: Sequence[Question],
        models: Models,
        listen: Listener,
    ) -> None:
        """Hold what the stages share; `prepare` comes next."""
        self.writer, self.run_id, self.config, self.questions = writer, run_id, config, questions
        self.models, self.listen = models, listen
        self.guides: set[str] = set()

    def prepare(self) -> None:
        """Write the run's frame, or match it with what is asked for now."""
        meta = self.writer.meta()
        with self.writer.transaction():
            if "config" not in meta:
                self._create()
                self.guides = {teacher.name for teacher in self.config.teachers}
                return
            self._match(parse_config(json.loads(meta["config"])))
            self._set_config()
            self.writer.set_meta("status", "running")

    def _set_config(self) -> None:
        analysis = self.config.analysis
        self.writer.set_meta("config", self.config.model_dump_json())
        self.writer.set_meta("objectives", ",".join(objective.label for objective in analysis.objectives))
        self.writer.set_meta("conventions", ",".join(convention.label for convention in analysis.conventions))

    def _create(self) -> None:
        self.writer.set_meta("questions", json.dumps([question.model_dump_json() for question in self.questions]))
        self._set_config()
        rows = []
        for number, question in enumerate(self.questions):
            prompt = self.models.student.encode_chat(question.messages())
            rows.append(
                {
                    "question": number,
                    "id": question.id,
                    "text": question.question,
                    "choices": list(question.choices),
                    "answer": question.answer,
                    "kind": question.kind,
                    "prompt_text": self.models.student.render_chat(question.messages()),
                    "prompt_ids": prompt,
                    "stage": "new",
                    "difficulty": None,
                    "note": None,
                }
            )
        self.writer.insert("questions", rows)
        self._insert_teachers(self.config.teachers, guides=True)

    def _match(self, stored: RunConfig) -> None:
        """Add teachers that are new; score anew where the analysis changed."""
        known = {teacher.name: teacher for teacher in stored.teachers}
        for teacher in self.config.teachers:
            if known.get(teacher.name, teacher) != teacher:
                raise OddError(
                    f"teacher {teacher.name!r} is in run {self.run_id!r} with other settings: give it another name"
                )
        new = [teacher for teacher in self.config.teachers if teacher.name not in known]
        self.guides = state.guiding_teachers(self.writer)
        self._insert_teachers(new, guides=False)
        self.config = self.config.model_copy(update={"teachers": (*stored.teachers, *new)})
        if stored.analysis != self.config.analysis:
            for table in (*SCORE_TABLES, *TREE_TABLES, "contexts"):
                self.writer.delete(table)
            self.writer.update("questions", {"stage": "targeted"}, stage="scored")

    def _insert_teachers(self, teachers: Sequence[TeacherConfig], guides: bool) -> None:
        start = len(self.writer.named("teachers"))
        rows = [
            {
                "teacher": teacher.name,
                "ordinal": start + i,
                "model": (teacher.model or self.config.student).name,
                "context": teacher.context,
                "config": teacher.model_dump_json(),
                "guided_targeting": guides,
            }
            for i, teacher in enumerate(teachers)
        ]
        if rows:
            self.writer.insert("teachers", rows)

    def work(self) -> Path:
        """Do what is left of every question, and publish."""
        try:
            for number in range(len(self.questions)):
                QuestionWork(self, number).work()
        except (KeyboardInterrupt, SystemExit):
            self._publish_as("stopped")
            raise
        self._publish_as("finished")
        self.report("done", len(self.questions) - 1, 1, 1)
        return self.writer.published

    def _publish_as(self, status: str) -> None:
        with self.writer.transaction():
            self.writer.set_meta("status", status)
        self.writer.publish()

    def report(self, stage: str, question: int, done: int, total: int, tokens: int = 0, seconds: float = 0.0) -> None:
        """Tell the listener."""
        self.listen(Progress(self.run_id, stage, question, len(self.questions), done, total, tokens, seconds))
