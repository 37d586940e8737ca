"""Student and teachers read all rollouts of a question, where `minillm` asks for it (method §3).

Only tokens that were drawn are read: a forced prefix hangs on a path, whose distributions are known. The student reads,
too, though its log-probabilities are kept from sampling: both sides are then computed alike, and a teacher that is the
student differs from it by exactly 0. Chunks are cut the same way every time, so an interrupted reading goes on to the
same numbers.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from odd.analysis.rollout_rewards import Reading
from odd.models.base import LanguageModel
from odd.pipeline.teachers import TeacherContext
from odd.rollouts.sampling import Rollout
from odd.store import state

if TYPE_CHECKING:
    from odd.pipeline.frame import Frame

KEEP_EVERY = 1.0
"""Seconds of reading that a killed run may lose."""

ByTemperature = dict[float, list[np.ndarray]]


@dataclass(frozen=True)
class _Reader:
    """Who reads: the student (`teacher` None) or a teacher, after its own prompt, at its own temperature."""

    teacher: str | None
    model: LanguageModel
    prompt: tuple[int, ...]
    heat: float


def reading_chunks(rollouts: Sequence[Rollout], batch_size: int) -> list[list[int]]:
    """Indices of rollouts that are read together: those of one forced prefix, at most `batch_size` of them."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, rollout in enumerate(rollouts):
        groups.setdefault(rollout.token_ids[: rollout.launch], []).append(i)
    return [
        group[start : start + batch_size] for group in groups.values() for start in range(0, len(group), batch_size)
    ]


class RolloutReading:
    """All rollouts of one question, read by the student and by teachers; what is in the run file is not read again."""

    def __init__(self, frame: "Frame", number: int, rollouts: Sequence[Rollout]) -> None:
        """Cut the rollouts into chunks."""
        self.frame, self.writer, self.number, self.rollouts = frame, frame.writer, number, rollouts
        self.temperatures = frame.config.analysis.reading_temperatures
        self.chunks = reading_chunks(rollouts, frame.config.sampling.batch_size)
        self._done, self._tokens, self._seconds = 0, 0, 0.0

    def read(self, prompt: Sequence[int], contexts: Sequence[TeacherContext]) -> Reading | None:
        """Let everybody read; None where no objective asks for it.

        Args:
            prompt: the student's.
            contexts: of the teachers that are to be scored; those without a prompt are left out.
        """
        if not self.temperatures:
            return None
        sampled = self.frame.config.sampling.temperature
        readers = [_Reader(None, self.frame.models.student, tuple(prompt), sampled)]
        teachers = {teacher.name: teacher for teacher in self.frame.config.teachers}
        for context in contexts:
            if context.reason is None:
                teacher = teachers[context.teacher]
                heat = sampled if teacher.model is None else 1.0
                readers.append(_Reader(teacher.name, self.frame.models.teacher(teacher), context.prompt, heat))
        read = {reader.teacher: self._read(reader, len(readers)) for reader in readers}
        student = read.pop(None)
        return Reading(student, {str(name): rows for name, rows in read.items()})

    def _read(self, reader: _Reader, readers: int) -> ByTemperature:
        stored = state.stored_log_probs(self.writer, self.number, reader.teacher)
        fresh, tokens, started = state.LogProbs(), 0, time.perf_counter()
        for place, chunk in enumerate(self.chunks, start=1):
            missing = [t for t in self.temperatures if any((i, t) not in stored for i in chunk)]
            if missing:
                fresh |= self._read_chunk(reader, chunk, missing)
                tokens += sum(len(self.rollouts[i].token_ids) - self.rollouts[i].launch for i in chunk)
            seconds = time.perf_counter() - started
            if fresh and (seconds > KEEP_EVERY or place == len(self.chunks)):
                self._keep(reader.teacher, fresh, seconds, tokens)
                stored |= fresh
                fresh, tokens, started = state.LogProbs(), 0, time.perf_counter()
            self._done += len(chunk)
            total = readers * len(self.rollouts)
            self.frame.report("read", self.number, self._done, total, self._tokens, self._seconds)
        return {t: [stored[i, t] for i in range(len(self.rollouts))] for t in self.temperatures}

    def _read_chunk(self, reader: _Reader, chunk: Sequence[int], temperatures: Sequence[float]) -> state.LogProbs:
        launch = self.rollouts[chunk[0]].launch
        forced = self.rollouts[chunk[0]].token_ids[:launch]
        drawn = [self.rollouts[i].token_ids[launch:] for i in chunk]
        heats = [reader.heat * temperature for temperature in temperatures]
        read = reader.model.token_log_probs((*reader.prompt, *forced), drawn, heats)
        unread = np.full(launch, np.nan, dtype=np.float32)
        return {
            (i, temperature): np.concatenate([unread, row])
            for i, rows in zip(chunk, read, strict=True)
            for temperature, row in zip(temperatures, rows, strict=True)
        }

    def _keep(self, teacher: str | None, read: state.LogProbs, seconds: float, tokens: int) -> None:
        """Write down what was read since the last time."""
        self._tokens, self._seconds = self._tokens + tokens, self._seconds + seconds
        with self.writer.transaction():
            state.insert_log_probs(self.writer, self.number, teacher, read)
            timing = {"stage": "read", "teacher": teacher or "student", "seconds": seconds}
            sizes = {"question": self.number, "items": len({rollout for rollout, _ in read}), "tokens": tokens}
            self.writer.insert("timings", [timing | sizes])
        self.writer.publish_meanwhile()
