"""Base of runs and screenings: the run file with its questions and settings, the models and the consumer."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

from odd.config import RunConfig, TeacherConfig, fingerprint, shareable
from odd.errors import OddError
from odd.models.base import PROBED, LanguageModel, check_window, encode_prompt
from odd.pipeline.consumer import Consumer
from odd.pipeline.digests import Digests
from odd.pipeline.events import Events, Step
from odd.pipeline.progress import Listener
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.pipeline.waves import in_turns
from odd.questions.base import Question
from odd.rollouts.log_dates import logged_day
from odd.store import RunReader, RunWriter, published_path
from odd.store.question_stage import QuestionStage
from odd.store.run_status import RunStatus
from odd.store.state import prompt_texts


def run_id_of(config: RunConfig, questions: Sequence[Question], models: Models) -> str:
    """Return the id of the run with these questions, settings and student.

    A run in the cache with an id from before guides were part of it keeps its id, if it has all teachers of the
    settings and was guided by no others.
    """
    # solutions and hints are for teachers, on which rollouts do not depend
    described = [question.model_dump(mode="json", exclude={"solution", "hint"}) for question in questions]
    digest, _, _ = models.student.digest.partition(PROBED)
    current, earlier = (
        f"{config.title}-{fingerprint(config, described, digest, with_guides)}" for with_guides in (True, False)
    )
    return earlier if _continues(published_path(config.cache, earlier), config) else current


def _continues(path: Path, config: RunConfig) -> bool:
    """Whether settings describe a published run without adding a teacher."""
    if not path.exists():
        return False
    with RunReader(path) as reader:
        stored = reader.query("teachers")
    every = [TeacherConfig.model_validate_json(text) for text in stored["config"]]
    guides = [teacher for teacher, guided in zip(every, stored["guided_targeting"], strict=True) if guided]
    return all(guide in config.teachers for guide in guides) and all(teacher in every for teacher in config.teachers)


def stored_questions(writer: RunWriter) -> list[Question]:
    """Return the questions stored in a run.

    Raises:
        OddError: they are not valid.
    """
    try:
        return [Question.model_validate_json(text) for text in json.loads(writer.meta()["questions"])]
    except (KeyError, ValueError) as error:
        raise OddError(f"run {writer.run_id!r} has no valid questions: copy its file again from its source") from error


def _given(question: Question) -> tuple[str | None, str | None]:
    return question.solution, question.hint


def _stored_day(run_id: str, meta: Mapping[str, str]) -> date | None:
    """Return the date of a run's prompts; None if it is new, or older than templates with dates.

    Raises:
        OddError: it is not a date.
    """
    try:
        return date.fromisoformat(meta["date"]) if "date" in meta else None
    except ValueError as error:
        raise OddError(f"run {run_id!r} has no valid date: copy its file again from its source") from error


class Frame:
    """A run that is open for writing.

    Attributes:
        writer: writer of its file.
        run_id: id of the run.
        config: settings.
        questions: questions of the run.
        day: date of its prompts, where chat templates show today's: when it was started, unless the settings say.
        models: student, teachers, and the models that write for them.
        digests: weight digests of its models.
        consumer: applies the events of the questions.
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
        self.writer, self.run_id, self.config, self.questions, self.models = writer, run_id, config, questions, models
        meta = writer.meta()
        self.day = _stored_day(run_id, meta) or config.date or self._day_of_prompts() or datetime.now(UTC).date()
        models.date_prompts(self.day)
        self.digests = Digests(run_id, json.loads(meta["digests"]) if "config" in meta else {"": models.student.digest})
        self.consumer = Consumer(writer, self.digests, len(questions), listen)

    def _day_of_prompts(self) -> date | None:
        """Return the day in the prompts of a run that was started before runs stored theirs; None for others."""
        student = self.models.student
        return logged_day(student, prompt_texts(self.writer)) if student.date_formats else None

    def create_questions(self) -> None:
        """Write the questions of a new run.

        Raises:
            OddError: prompt and response of a question exceed the student's context window.
        """
        self.writer.set_meta("date", self.day.isoformat())
        self._store_questions()
        rows = []
        for number, question in enumerate(self.questions):
            messages = question.messages(templates=self.config.templates)
            prompt = encode_prompt(self.models.student, messages)
            student, response = self.models.student, self.config.sampling.max_new_tokens
            check_window(student.sampler.max_context, student.name, f"question {question.id!r}", len(prompt), response)
            rows.append(
                {
                    "question": number,
                    "id": question.id,
                    "text": question.question,
                    "choices": list(question.choices),
                    "answer": question.answer,
                    "kind": question.kind,
                    "prompt_text": self.models.student.tokenizer.render_chat(messages),
                    "prompt_ids": prompt,
                    "stage": QuestionStage.NEW.value,
                    "difficulty": None,
                    "note": None,
                }
            )
        self.writer.insert("questions", rows)

    def update_questions(self, stored: RunConfig) -> None:
        """Store the solutions and hints of the questions, which may be new: the run id does not depend on them.

        Raises:
            OddError: they have changed, and a teacher of the stored settings shows them.
        """
        given = [_given(question) for question in self.questions]
        if given == [_given(question) for question in stored_questions(self.writer)]:
            return
        for teacher in (*stored.teachers, *stored.screening.teachers):
            if teacher.column is not None:
                raise OddError(
                    f"run {self.run_id!r} has other solutions or hints, which teacher {teacher.name!r} shows: restore "
                    "them in the questions, or start another run with --set title=NAME"
                )
        self._store_questions()

    def _store_questions(self) -> None:
        self.writer.set_meta("questions", json.dumps([question.model_dump_json() for question in self.questions]))

    def set_config(self) -> None:
        """Write the settings."""
        analysis = self.config.analysis
        # the folder is of this machine only
        self.writer.set_meta("config", shareable(self.config).model_dump_json(exclude={"cache"}))
        self.writer.set_meta("digests", self.digests.to_json())
        self.writer.set_meta("objectives", ",".join(objective.label for objective in analysis.objectives))
        self.writer.set_meta("conventions", ",".join(convention.label for convention in analysis.conventions))

    def check_digest(self, name: str, model: LanguageModel) -> None:
        """Check that a teacher, or the student for "", is the model that the run was started with.

        Raises:
            OddError: its weights have changed.
        """
        self.digests.check(name, model.name, model.digest)

    def consume(self, works: Iterable[Events[None]]) -> None:
        """Apply the events of each question in turn; on an interrupt, publish the current state."""
        try:
            # closed at once, even if the error that ends it keeps this frame alive
            with closing(in_turns(works, self.models.residency, self.config.questions_in_flight)) as events:
                self.consumer.consume(events)
        except (KeyboardInterrupt, SystemExit):
            self.publish_as(RunStatus.STOPPED)
            raise

    def publish_as(self, status: RunStatus) -> None:
        """Set the status of the run and publish the current state."""
        with self.writer.transaction():
            self.writer.set_meta("status", status)
        self.writer.publish()

    def finish(self, status: RunStatus) -> Path:
        """Publish the final state and release the lock; return the path of the published file."""
        with self.writer.transaction():
            self.writer.set_meta("status", status)
        self.writer.finish()
        self.consumer.apply(Step(len(self.questions) - 1, Stage.DONE, 1, 1))
        return self.writer.published
