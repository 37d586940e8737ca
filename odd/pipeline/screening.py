"""Screening: measure the student's accuracy without and with each context before a run (method §6).

A screening uses the file of the run with the same settings, and the run reuses its samples: the baseline rollouts are
the first of the run's initial rollouts, and the demonstrations are those that its teachers are shown. As in a run, all
samples have derived seeds and are committed chunk by chunk, so a screening that was killed resumes to the same result.
"""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from odd.config import BASELINE, RunConfig, TeacherConfig, parse_config
from odd.config.loading import from_file
from odd.errors import OddError
from odd.pipeline.base import Chunks, QuestionBase, why_never
from odd.pipeline.contexts import TeacherContext, teacher_context
from odd.pipeline.events import Commit, Events, Insert, Step, Use, timing
from odd.pipeline.frame import Frame, run_id_of
from odd.pipeline.progress import Listener
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.questions.sources import load_questions
from odd.rollouts.sampling import chunks, sample_chunk
from odd.store import RunWriter, state
from odd.store.question_stage import QuestionStage
from odd.store.rows import screening_rows
from odd.store.run_status import RunStatus
from odd.store.state import Screened


def screen(config: RunConfig, listen: Listener) -> Path:
    """Screen the questions of a run, or resume a screening; return the path of the published file.

    Contexts of `config` that an earlier screening lacks are added to it.

    Raises:
        OddError: questions, models or settings are invalid; there is no context to compare; the run has imported
            rollouts; or the disk is full.
    """
    if config.imported is not None:
        raise OddError("imported rollouts cannot be screened: run odd import; its run shows the share of correct ones")
    if not config.screened:
        raise OddError("no teacher is the student with a context: give one, e.g. --teacher Self-1C=student:1c")
    if any(teacher.name == BASELINE for teacher in config.screened):
        raise OddError(f"{BASELINE} is the name of the student without a context: give that teacher another name")
    questions = load_questions(config.questions)
    models = Models(config, config.cache)
    models.load(config.screened)
    run_id = run_id_of(config, questions, models)
    with RunWriter(config.cache, run_id) as writer:
        return Screener(writer, run_id, config, questions, models, listen).work()


class Screener(Frame):
    """A screening that is open for writing."""

    def work(self) -> Path:
        """Do the remaining work of every question and publish; return the path of the published file."""
        compared = self._prepare()
        self.consume(self._works(compared))
        return self.finish(self._status())

    def _works(self, compared: Sequence[TeacherConfig]) -> Iterator[Events[None]]:
        for number, question in enumerate(self.questions):
            stored = state.load_question_state(self.writer, number, screening=True)
            yield QuestionScreening(self.config, self.models, question, stored).work(compared)

    def _prepare(self) -> list[TeacherConfig]:
        """Write settings and questions, or check them against the stored ones; return the contexts to compare."""
        meta, asked = self.writer.meta(), self.config
        with self.writer.transaction():
            if "config" in meta:
                self.check_digest("", self.models.student)
                stored = parse_config(from_file(json.loads(meta["config"])))
                self.update_questions(stored)
                self._match(stored)
            else:
                self.create_questions()
            self.set_config()
            compared = self._compared(asked.screened)
            drawn = min(asked.screening.rollouts, asked.sampling.initial_rollouts)
            self.writer.set_meta("screening_rollouts", str(drawn))
            self.writer.set_meta("screening_context_rollouts", str(asked.screening.context_rollouts))
            self.writer.set_meta("status", RunStatus.RUNNING)
        return compared

    def _match(self, stored: RunConfig) -> None:
        """Keep the stored settings of a run that has started, except those of its screening."""
        begun = len(self.writer.named("teachers")) > 0
        if not begun and not state.screened_contexts(self.writer):
            return
        if stored.templates != self.config.templates:
            raise OddError(f"run {self.run_id!r} has other templates: do not change templates")
        rollouts = self.writer.meta().get("screening_context_rollouts")
        if rollouts not in (None, str(self.config.screening.context_rollouts)):
            raise OddError(f"run {self.run_id!r} was screened with screening.context_rollouts={rollouts}: keep that")
        if begun:
            asked = self.config.model_dump(mode="json", include={"screening", "cache"})
            self.config = parse_config(stored.model_dump(mode="json") | asked)

    def _compared(self, asked: Sequence[TeacherConfig]) -> list[TeacherConfig]:
        """Write and return the contexts to compare: those used in the screening so far, and new ones."""
        in_use = state.screened_contexts(self.writer)
        rows = self.writer.named("screening_contexts").to_dict("records")
        kept = {row["context"]: TeacherConfig.model_validate_json(row["config"]) for row in rows}
        kept = {name: teacher for name, teacher in kept.items() if name in in_use}
        for teacher in asked:
            if kept.get(teacher.name, teacher) != teacher:
                raise OddError(
                    f"run {self.run_id!r} was screened with other settings of {teacher.name!r}: give it another name"
                )
        every = [*kept.values(), *(teacher for teacher in asked if teacher.name not in kept)]
        self.writer.delete("screening_contexts")
        self.writer.insert(
            "screening_contexts",
            [
                {"context": one.name, "ordinal": i, "kind": one.context, "config": one.model_dump_json()}
                for i, one in enumerate(every)
            ],
        )
        return every

    def _status(self) -> RunStatus:
        """Return the status after screening; a run that has started keeps its status."""
        teachers = self.writer.named("teachers")["teacher"].tolist()
        if set(self.writer.named("questions")["stage"]) == {QuestionStage.NEW}:
            return RunStatus.SCREENED
        return RunStatus.STOPPED if state.unfinished_questions(self.writer, teachers) else RunStatus.FINISHED


class QuestionScreening(QuestionBase):
    """Work on one question of a screening."""

    def work(self, compared: Sequence[TeacherConfig]) -> Events[None]:
        """Do the remaining work of the question."""
        baseline = yield from self.draw("initial", self._baseline())
        if self.state.stage is QuestionStage.NEW:
            yield Commit((self.describe(baseline),))
        if not any(rollout.correct for rollout in baseline):
            yield self._exclude(compared, why_never(baseline))
            return
        for at, teacher in enumerate(compared):
            yield from self._draw_with_context(teacher, at, len(compared))
        yield Commit(publish="if_due")

    def _baseline(self) -> Chunks:
        """Return the first chunks of the run's initial rollouts."""
        left, plan = min(self.config.screening.rollouts, self.config.sampling.initial_rollouts), []
        for chunk in self.initial_chunks():
            if left > 0:
                plan.append(chunk)
                left -= len(chunk)
        return plan

    def _exclude(self, compared: Sequence[TeacherConfig], why: str) -> Commit:
        """Store the reason for a question without a correct rollout; it is not sampled with contexts."""
        new = [teacher for teacher in compared if teacher.name not in self.state.screened]
        contexts = [TeacherContext(teacher.name, (), "", (), why) for teacher in new]
        return Commit((self.insert("screening", [_row(context) for context in contexts]),))

    def _draw_with_context(self, teacher: TeacherConfig, at: int, of: int) -> Events[None]:
        """Sample the student's responses with one context; `at` is its index among the `of` contexts, for progress."""
        stored = self.state.screened.get(teacher.name)
        if stored is None:
            window, longest = self.student.sampler.max_context, self.config.sampling.max_new_tokens
            context = yield from teacher_context(teacher, self.demonstrations, window, longest)
            yield Commit((self.insert("screening", [_row(context)]),))
            stored = Screened(context.prompt if context.reason is None else (), frozenset())
        count = self.config.screening.context_rollouts
        plan = chunks([()] * count, self.config.sampling.chunk_size) if stored.prompt else []
        first, spent, drawn = 0, 0.0, 0
        for chunk, prefixes in enumerate(plan):
            if chunk not in stored.chunks:
                yield Use(self.config.student.label)
                started = time.perf_counter()
                settings = self.config.sampling, "context", chunk, teacher.name
                made = sample_chunk(self.student, self.question, stored.prompt, prefixes, *settings)
                seconds = time.perf_counter() - started
                tokens = sum(len(rollout.token_ids) for rollout in made)
                rows = Insert("screening_rollouts", screening_rows(self.number, teacher.name, first, made))
                yield Commit((rows, timing(self.number, Stage.CONTEXTS, seconds, len(made), tokens, teacher.name)))
                spent, drawn = spent + seconds, drawn + tokens
            first += len(prefixes)
        yield Step(self.number, Stage.CONTEXTS, (at + 1) * count, of * count, drawn, spent)


def _row(context: TeacherContext) -> dict:
    """Return the row of the table `screening`."""
    row = context.row()
    return {"context": row.pop("teacher"), **row}
