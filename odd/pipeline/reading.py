"""Read all rollouts of a question with student and teachers, as `minillm` requires (method §3).

Only sampled tokens are read: a forced prefix is part of a path, whose distributions are known. The student reads, too,
although its log-probabilities are known from sampling: both sides are then computed in the same way, and a teacher
that equals the student differs from it by exactly 0. The chunks are always the same, so an interrupted reading resumes
to the same numbers.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis.rollout_rewards import Reading
from odd.config import RunConfig
from odd.errors import OddError
from odd.models.base import LanguageModel
from odd.pipeline.contexts import TeacherContext, teacher_temperature
from odd.pipeline.events import Commit, Events, Insert, Step, Use, timing
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.rollouts.sampling import Rollout
from odd.store.rows import LogProbs, log_prob_rows
from odd.store.state import QuestionState

KEEP_EVERY = 1.0
"""Seconds of reading between commits, which a killed run may lose."""

ByTemperature = dict[float, list[np.ndarray]]


@dataclass(frozen=True)
class Reader:
    """The student (`teacher` None) or a teacher, with its prompt and temperature."""

    teacher: str | None
    label: str
    model: LanguageModel
    prompt: tuple[int, ...]
    temperature: float


def readers(
    config: RunConfig, models: Models, prompt: Sequence[int], contexts: Sequence[TeacherContext]
) -> tuple[Reader, dict[str, Reader]]:
    """Return the reader of the student, and by name those of the teachers that have a prompt.

    Args:
        config: settings of the run.
        models: models of the run.
        prompt: token ids of the student's prompt.
        contexts: prompts of the teachers.
    """
    teachers, sampling = {teacher.name: teacher for teacher in config.teachers}, config.sampling
    able = [(teachers[context.teacher], context.prompt) for context in contexts if context.reason is None]
    return Reader(None, config.student.label, models.student, tuple(prompt), sampling.temperature), {
        teacher.name: Reader(
            teacher.name,
            (teacher.model or config.student).label,
            models.teacher(teacher),
            own,
            teacher_temperature(teacher, sampling),
        )
        for teacher, own in able
    }


def reading_chunks(rollouts: Sequence[Rollout], batch_size: int) -> list[list[int]]:
    """Group rollouts by forced prefix into batches of at most `batch_size`; return their indices."""
    groups: dict[bytes, list[int]] = {}
    for i, rollout in enumerate(rollouts):
        groups.setdefault(rollout.token_ids[: rollout.launch].tobytes(), []).append(i)
    return [
        group[start : start + batch_size] for group in groups.values() for start in range(0, len(group), batch_size)
    ]


class RolloutReading:
    """Reading of all rollouts of one question by student and teachers; stored log-probabilities are not recomputed."""

    def __init__(self, config: RunConfig, models: Models, state: QuestionState, rollouts: Sequence[Rollout]) -> None:
        """Split the rollouts into chunks."""
        self.config, self.models, self.state, self.rollouts = config, models, state, rollouts
        self.temperatures = config.analysis.reading_temperatures
        self.chunks = reading_chunks(rollouts, config.sampling.batch_size)
        self._done, self._tokens, self._seconds = 0, 0, 0.0

    def read(self, prompt: Sequence[int], contexts: Sequence[TeacherContext]) -> Events[Reading | None]:
        """Read all rollouts with the student and each teacher; return None if no objective needs it.

        Args:
            prompt: token ids of the student's prompt.
            contexts: prompts of the teachers to score; those without a prompt are skipped.

        Raises:
            OddError: the tokens of some rollouts were cut off.
        """
        if not self.temperatures:
            return None
        if any(rollout.missing for rollout in self.rollouts):
            raise OddError(
                "minillm reads all tokens of all rollouts, and this run keeps only what rollouts share: leave minillm "
                "out, or start another run with --set title=NAME storage.targeted=all"
            )
        own, teachers = readers(self.config, self.models, prompt, contexts)
        student = yield from self._read(own, 1 + len(teachers))
        read: dict[str, ByTemperature] = {}
        for name, reader in teachers.items():
            read[name] = yield from self._read(reader, 1 + len(teachers))
        return Reading(student, read)

    def _read(self, reader: Reader, count: int) -> Events[ByTemperature]:
        known = dict(self.state.log_probs.get(reader.teacher, {}))
        fresh, tokens, started = LogProbs(), 0, time.perf_counter()
        for place, chunk in enumerate(self.chunks, start=1):
            missing = [t for t in self.temperatures if any((i, t) not in known for i in chunk)]
            if missing:
                yield Use(reader.label)
                fresh |= self._read_chunk(reader, chunk, missing)
                tokens += sum(len(self.rollouts[i].token_ids) - self.rollouts[i].launch for i in chunk)
            seconds = time.perf_counter() - started
            if fresh and (seconds > KEEP_EVERY or place == len(self.chunks)):
                yield self._keep(reader.teacher, fresh, seconds, tokens)
                known |= fresh
                fresh, tokens, started = LogProbs(), 0, time.perf_counter()
            self._done += len(chunk)
            total = count * len(self.rollouts)
            yield Step(self.state.number, Stage.READ, self._done, total, self._tokens, self._seconds)
        return {t: [known[i, t] for i in range(len(self.rollouts))] for t in self.temperatures}

    def _read_chunk(self, reader: Reader, chunk: Sequence[int], temperatures: Sequence[float]) -> LogProbs:
        launch = self.rollouts[chunk[0]].launch
        forced = self.rollouts[chunk[0]].forced
        drawn = [self.rollouts[i].token_ids[launch:].tolist() for i in chunk]
        softened = [reader.temperature * temperature for temperature in temperatures]
        read = reader.model.scorer.token_log_probs((*reader.prompt, *forced), drawn, softened)
        unread = np.full(launch, np.nan, dtype=np.float32)
        return {
            (i, temperature): np.concatenate([unread, row])
            for i, rows in zip(chunk, read, strict=True)
            for temperature, row in zip(temperatures, rows, strict=True)
        }

    def _keep(self, teacher: str | None, read: LogProbs, seconds: float, tokens: int) -> Commit:
        """Return the commit of the log-probabilities since the last one."""
        self._tokens, self._seconds = self._tokens + tokens, self._seconds + seconds
        number, items = self.state.number, len({rollout for rollout, _ in read})
        rows = Insert("rollout_log_probs", log_prob_rows(number, teacher, read))
        cost = timing(number, Stage.READ, seconds, items, tokens, teacher or "student")
        return Commit((rows, cost), publish="if_due")
