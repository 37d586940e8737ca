"""The worker: carries a run from its questions to its scores, one question after the other.

Everything a question needs is drawn from seeds of its own, and rollouts are committed chunk by chunk. What was not
committed is done again with the same result, so a run that was killed equals one that was not.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from odd.config import RunConfig, TeacherConfig, fingerprint, parse_config
from odd.errors import OddError
from odd.models.base import LanguageModel, check_window
from odd.pipeline import state
from odd.pipeline.progress import Listener, Progress
from odd.pipeline.question import QuestionWork
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.questions.sources import load_questions
from odd.store import RunWriter, published_path, work_path


def run(config: RunConfig, listen: Listener) -> Path:
    """Make a run, or take up one that was interrupted; the path of its published file.

    Teachers of `config` that an existing run lacks are added to it without sampling.

    Raises:
        OddError: questions, models or settings that cannot be used; no room on disk.
    """
    questions = load_questions(config.questions)
    models = Models(config, config.cache)
    for teacher in config.teachers:
        models.teacher(teacher)
    described = [question.model_dump(mode="json") for question in questions]
    run_id = f"{config.title}-{fingerprint(config, described, models.student.digest)}"
    with RunWriter(config.cache, run_id) as writer:
        return Worker(writer, run_id, config, questions, models, listen).work()


def teach(cache: Path, run_id: str, teachers: Sequence[TeacherConfig], listen: Listener) -> Path:
    """Add teachers to a run whose rollouts are all there; samples nothing. Teachers that it has already are left alone.

    Raises:
        OddError: there is no such run, rollouts are missing, or a teacher cannot be used.
    """
    if not any(place(cache, run_id).exists() for place in (published_path, work_path)):
        raise OddError(f"there is no run {run_id!r} in {cache}: look into the folder, or give it with --cache")
    with RunWriter(cache, run_id) as writer:
        meta = writer.meta()
        if "config" not in meta or not state.is_sampled(writer):
            raise OddError(f"run {run_id!r} is not finished: finish it with python -m odd run before adding teachers")
        stored = parse_config(json.loads(meta["config"]))
        asked = {"teachers": [teacher.model_dump(mode="json") for teacher in teachers], "cache": str(cache)}
        config = parse_config(stored.model_dump(mode="json") | asked)
        return Worker(writer, run_id, config, stored_questions(writer), Models(config, cache), listen).work()


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
        """Hold what the stages share."""
        self.writer, self.run_id, self.config, self.questions = writer, run_id, config, questions
        self.models, self.listen = models, listen
        self.guides: set[str] = set()
        self.digests = {"": models.student.digest}

    def _prepare(self) -> None:
        """Write the run's frame, or match it with what is asked for now."""
        meta = self.writer.meta()
        with self.writer.transaction():
            if "config" in meta:
                self.digests = json.loads(meta["digests"])
                self._match(parse_config(json.loads(meta["config"])))
            else:
                self._create()
            self._set_config()
            self.writer.set_meta("status", "running")
        self.guides = state.guiding_teachers(self.writer)

    def _set_config(self) -> None:
        analysis = self.config.analysis
        self.writer.set_meta("config", self.config.model_dump_json())
        self.writer.set_meta("digests", json.dumps(self.digests))
        self.writer.set_meta("objectives", ",".join(objective.label for objective in analysis.objectives))
        self.writer.set_meta("conventions", ",".join(convention.label for convention in analysis.conventions))

    def _create(self) -> None:
        self.writer.set_meta("questions", json.dumps([question.model_dump_json() for question in self.questions]))
        rows = []
        for number, question in enumerate(self.questions):
            prompt = self.models.student.encode_chat(question.messages())
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
        """Add teachers that are new; have everything scored anew where the analysis changed.

        A stored teacher that no question has been scored with may have been a mistake: what is asked for now counts.
        """
        in_use = state.teachers_in_use(self.writer)
        kept = {teacher.name: teacher for teacher in stored.teachers if teacher.name in in_use}
        for teacher in self.config.teachers:
            if kept.get(teacher.name, teacher) != teacher:
                raise OddError(
                    f"teacher {teacher.name!r} is in run {self.run_id!r} with other settings: give it another name"
                )
        self._check_digest("", self.models.student)
        changed = stored.analysis != self.config.analysis
        for name, teacher in kept.items():
            # a teacher that is done and not asked for need not be loaded
            if changed or teacher in self.config.teachers or not state.is_scored(self.writer, name):
                self._check_digest(name, self.models.teacher(teacher))
        guides = state.guiding_teachers(self.writer)
        fresh_run = not in_use
        for teacher in stored.teachers:
            if teacher.name not in kept:
                self.writer.delete("teachers", teacher=teacher.name)
                self._forget_unless_asked_for(teacher)
        new = [teacher for teacher in self.config.teachers if teacher.name not in kept]
        for teacher in new:
            self._insert_teachers([teacher], guides=fresh_run or teacher.name in guides)
        self.config = self.config.model_copy(update={"teachers": (*kept.values(), *new)})
        if changed:
            self.writer.update("questions", {"stage": "targeted"}, stage="scored")

    def _forget_unless_asked_for(self, teacher: TeacherConfig) -> None:
        """Delete what a teacher that was never scored has read, unless it is asked for as it was."""
        same = teacher in self.config.teachers
        if not same or self.digests.get(teacher.name) != self.models.teacher(teacher).digest:
            self.writer.delete("rollout_log_probs", teacher=teacher.name)

    def _check_digest(self, name: str, model: LanguageModel) -> None:
        """Refuse to go on with weights that are not those the run was made with."""
        if self.digests.get(name, model.digest) != model.digest:
            whose = f"teacher {name!r}" if name else "the student"
            raise OddError(
                f"model {model.name!r} of {whose} has changed since run {self.run_id!r} was made: restore it, or start "
                "another run with another title"
            )

    def _insert_teachers(self, teachers: Sequence[TeacherConfig], guides: bool) -> None:
        start = int(self.writer.named("teachers")["ordinal"].max() + 1) if len(self.writer.named("teachers")) else 0
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
        self.digests |= {teacher.name: self.models.teacher(teacher).digest for teacher in teachers}
        if rows:
            self.writer.insert("teachers", rows)

    def work(self) -> Path:
        """Do what is left of every question, and publish; the path of the published file."""
        self._prepare()
        try:
            for number in range(len(self.questions)):
                QuestionWork(self, number).work()
        except (KeyboardInterrupt, SystemExit):
            self._publish_as("stopped")
            raise
        self._publish_as("finished")
        self.writer.close(remove_work=True)
        self.report("done", len(self.questions) - 1, 1, 1)
        return self.writer.published

    def _publish_as(self, status: str) -> None:
        with self.writer.transaction():
            self.writer.set_meta("status", status)
        self.writer.publish()

    def report(self, stage: str, question: int, done: int, total: int, tokens: int = 0, seconds: float = 0.0) -> None:
        """Tell the listener."""
        self.listen(Progress(self.run_id, stage, question, len(self.questions), done, total, tokens, seconds))
