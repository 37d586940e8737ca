"""Worker: executes a run from its questions to its scores, one question at a time.

All samples of a question have derived seeds, and rollouts are committed chunk by chunk. Uncommitted work is redone with
the same result, so a run that was killed resumes to the same result.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from odd.config import RunConfig, TeacherConfig, parse_config
from odd.config.loading import from_file, without
from odd.config.models import SERVER_ACCESS
from odd.errors import OddError
from odd.models.base import same_model
from odd.pipeline.engine_check import check_engines
from odd.pipeline.events import Events
from odd.pipeline.frame import Frame, run_id_of, stored_questions
from odd.pipeline.imported import keep_import, read_import
from odd.pipeline.progress import Listener
from odd.pipeline.question import QuestionWork
from odd.pipeline.teachers import Models
from odd.questions.sources import load_questions
from odd.rollouts.importing import Imported
from odd.store import RunWriter, published_path, state, work_path
from odd.store.question_stage import QuestionStage
from odd.store.run_status import RunStatus


def run(config: RunConfig, listen: Listener, rescore: bool = False) -> Path:
    """Execute a run, or resume one that was interrupted; return the path of its published file.

    Args:
        config: settings. Teachers that an existing run lacks are added to it without sampling; as guides are part of
            the run's id, these are teachers that `targeting.guides` leaves out.
        listen: is told about progress.
        rescore: whether scores with other analysis settings are replaced.

    Raises:
        OddError: questions, models or settings are invalid, the run has scores with other analysis settings, or the
            disk is full.
    """
    questions = [] if config.asks_log else load_questions(config.questions)
    models = Models(config, config.cache)
    models.load(config.teachers)
    config, questions, imported = read_import(config, questions, models)
    run_id = run_id_of(config, questions, models)
    with RunWriter(config.cache, run_id) as writer:
        return Worker(writer, run_id, config, questions, models, listen).work(imported, rescore)


def add_teachers(cache: Path, run_id: str, teachers: Sequence[TeacherConfig], listen: Listener) -> Path:
    """Add teachers to a run with complete rollouts. Teachers that it already has are unchanged.

    Only demonstrations and summaries are sampled, if the run does not contain them yet.

    Raises:
        OddError: the run does not exist, rollouts are missing, or a teacher cannot be used.
    """
    if not any(place(cache, run_id).exists() for place in (published_path, work_path)):
        raise OddError(f"run {run_id!r} is not in {cache}: check the folder, or pass --cache")
    with RunWriter(cache, run_id) as writer:
        meta = writer.meta()
        if "config" not in meta or not state.is_sampled(writer):
            raise OddError(f"run {run_id!r} is not finished: finish it with odd run before adding teachers")
        stored = parse_config(from_file(json.loads(meta["config"])))
        asked = {"teachers": [teacher.model_dump(mode="json") for teacher in teachers], "cache": str(cache)}
        asked["targeting"] = stored.targeting.model_dump(mode="json") | {"guides": None}  # those that the file names
        config = parse_config(stored.model_dump(mode="json") | asked)
        return Worker(writer, run_id, config, stored_questions(writer), Models(config, cache), listen).work()


def _differences(stored: RunConfig, asked: RunConfig) -> str:
    """Name the analysis settings that differ."""
    one, other = (config.analysis.model_dump(mode="json") for config in (stored, asked))
    return ", ".join(f"analysis.{name}" for name in one if one[name] != other[name])


class Worker(Frame):
    """A run in progress."""

    def prepare(self, imported: Imported | None = None, rescore: bool = False) -> None:
        """Write settings, questions and teachers, or check them against the stored ones."""
        meta = self.writer.meta()
        with self.writer.transaction():
            if "config" in meta:
                stored = parse_config(from_file(json.loads(meta["config"])))
                self.update_questions(stored)
                self._match(stored, rescore)
            else:
                self.create_questions()
                if imported is not None:
                    keep_import(self.writer, imported)
                for teacher in self.config.teachers:
                    self._insert_teachers([teacher], guides=teacher in self.config.guides)
            self.set_config()
            self.writer.set_meta("status", RunStatus.RUNNING)

    def _match(self, stored: RunConfig, rescore: bool) -> None:
        """Add new teachers; mark all questions for rescoring if the analysis settings changed and this was asked for.

        A stored teacher without any scores may have been a mistake: the current settings replace it.
        """
        in_use = state.teachers_in_use(self.writer)
        kept = {teacher.name: teacher for teacher in stored.teachers if teacher.name in in_use}
        for teacher in self.config.teachers:
            if teacher.name in kept and _identity(kept[teacher.name]) != _identity(teacher):
                raise OddError(
                    f"teacher {teacher.name!r} is in run {self.run_id!r} with other settings: give it another name"
                )
            if teacher.name in kept:
                kept[teacher.name] = teacher  # its servers may be at other addresses now
        if in_use and stored.templates != self.config.templates:
            raise OddError(
                f"run {self.run_id!r} has teachers with other templates: do not change templates; for other wording, "
                "give the new teacher its own template"
            )
        self.check_digest("", self.models.student)
        changed = stored.analysis != self.config.analysis
        if changed and in_use and not rescore:
            raise OddError(
                f"run {self.run_id!r} has scores with other analysis settings ({_differences(stored, self.config)}): "
                "pass --rescore to replace them, or --set title=NAME to keep both"
            )
        for name, teacher in kept.items():
            # a finished teacher that is not in the current settings need not be loaded
            if changed or teacher in self.config.teachers or state.unfinished_questions(self.writer, [name]):
                self.check_digest(name, self.models.teacher(teacher))
        guides = state.guiding_teachers(self.writer)
        fresh_run = not in_use and not state.is_sampled(self.writer)
        for teacher in stored.teachers:
            if teacher.name not in kept:
                self.writer.delete("teachers", teacher=teacher.name)
                self._forget_unless_asked_for(teacher)
        new = [teacher for teacher in self.config.teachers if teacher.name not in kept]
        for teacher in new:
            self._insert_teachers(
                [teacher], guides=teacher in self.config.guides if fresh_run else teacher.name in guides
            )
        every, guides = (*kept.values(), *new), state.guiding_teachers(self.writer)
        names = tuple(teacher.name for teacher in every if teacher.name in guides)
        # with the guides of this run, these settings continue it; with others they would be another run
        targeting = self.config.targeting.model_copy(update={"guides": None if len(names) == len(every) else names})
        settings = self.config.model_copy(update={"teachers": every, "targeting": targeting})
        self.config = parse_config(settings.model_dump(mode="json"))
        if changed:
            self.writer.update("questions", {"stage": QuestionStage.TARGETED.value}, stage=QuestionStage.SCORED.value)

    def _forget_unless_asked_for(self, teacher: TeacherConfig) -> None:
        """Delete the readings of a teacher without scores, unless the current settings contain it unchanged."""
        same = teacher in self.config.teachers
        if not same or not same_model(self.digests.get(teacher.name) or "", self.models.teacher(teacher).digest):
            self.writer.delete("rollout_log_probs", teacher=teacher.name)

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
        for teacher in teachers:
            self.digests.note(teacher.name, self.models.teacher(teacher).digest)
        if rows:
            self.writer.insert("teachers", rows)

    def work(self, imported: Imported | None = None, rescore: bool = False) -> Path:
        """Do the remaining work of every question and publish; return the path of the published file.

        Args:
            imported: imported initial rollouts of a new run.
            rescore: whether scores with other analysis settings are replaced.
        """
        self.prepare(imported, rescore)
        self.consume(self.works())
        check_engines(self.writer, self.config, self.models.student)
        return self.finish(RunStatus.FINISHED)

    def works(self) -> Iterator[Events[None]]:
        """Yield the work on each unfinished question; its stored state is loaded when its turn comes."""
        guides = state.guiding_teachers(self.writer)
        for number in state.unfinished_questions(self.writer, [teacher.name for teacher in self.config.teachers]):
            stored = state.load_question_state(self.writer, number)
            yield QuestionWork(self.config, self.models, self.questions[number], stored, guides).work()


def _identity(teacher: TeacherConfig) -> Any:
    """Return what makes two teachers the same, which the addresses of their servers do not."""
    return without(teacher.model_dump(mode="json"), SERVER_ACCESS)
