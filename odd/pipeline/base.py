"""What a run and a screening do alike with one question: draw rollouts chunk by chunk, and keep count of the cost."""

import time
from collections.abc import Sequence

import numpy as np

from odd.pipeline import state
from odd.pipeline.demonstrations import Demonstrations
from odd.pipeline.frame import Frame
from odd.rollouts import Rollout, Stage, initial_chunks, sample_chunk
from odd.success import difficulty

Chunks = Sequence[Sequence[tuple[int, ...]]]


class QuestionBase:
    """One question of a run."""

    def __init__(self, frame: Frame, number: int) -> None:
        """Encode its prompt."""
        self.frame, self.writer, self.config = frame, frame.writer, frame.config
        self.number, self.question = number, frame.questions[number]
        self.student = frame.models.student
        self.prompt = self.student.encode_chat(self.question.messages(templates=self.config.templates))
        self.demonstrations = Demonstrations(frame, number)

    @property
    def stage(self) -> str:
        """How far the question is."""
        return state.question_stage(self.writer, self.number)

    def initial_chunks(self) -> Chunks:
        """The chunks that the initial rollouts come in."""
        sampling = self.config.sampling
        return initial_chunks(sampling.initial_rollouts, self.config.screening.rollouts, sampling.chunk_size)

    def draw(self, stage: Stage, plan: Chunks) -> list[Rollout]:
        """The student's rollouts of a stage: those in the run file, and what is missing drawn chunk by chunk.

        Args:
            stage: initial or targeted.
            plan: forced response tokens of each rollout of each chunk; one that stops early leaves the rest for later.
        """
        total = sum(map(len, plan))
        rollouts = state.stored_rollouts(self.writer, self.number, stage)
        have = {rollout.chunk for rollout in rollouts}
        offset = self.config.sampling.initial_rollouts if stage == "targeted" else 0
        spent, drawn = 0.0, 0
        for chunk, prefixes in enumerate(plan):
            if chunk in have:
                continue
            started = time.perf_counter()
            made = sample_chunk(self.student, self.question, self.prompt, prefixes, self.config.sampling, stage, chunk)
            seconds = time.perf_counter() - started
            tokens = sum(len(rollout.token_ids) - rollout.launch for rollout in made)
            with self.writer.transaction():
                state.insert_rollouts(self.writer, self.number, offset + len(rollouts), made)
                self.time(stage, None, seconds, len(made), tokens)
            rollouts += made
            spent, drawn = spent + seconds, drawn + tokens
            self.frame.report(stage, self.number, len(rollouts), total, drawn, spent)
            if self.writer.publish_due():
                self.writer.publish()
        return rollouts[:total]

    def insert(self, table: str, rows: Sequence[dict]) -> None:
        """Append rows of this question."""
        self.writer.insert(table, [row | {"question": self.number} for row in rows])

    def time(self, stage: str, teacher: str | None, seconds: float, items: int, tokens: int) -> None:
        """Note what a piece of work cost."""
        state.insert_timing(self.writer, self.number, stage, teacher, seconds, items, tokens)

    def describe(self, initial: Sequence[Rollout], **changes: str | None) -> None:
        """Write down the difficulty, as far as it is known, and what else has changed."""
        rate = float(np.mean([rollout.correct for rollout in initial]))
        self.writer.update("questions", {"difficulty": difficulty(rate), **changes}, question=self.number)


def why_never(initial: Sequence[Rollout]) -> str:
    """What is to be said of a question without a correct rollout."""
    if all(rollout.truncated for rollout in initial):
        return f"all {len(initial)} rollouts truncated: raise sampling.max_new_tokens"
    return f"no correct rollout among {len(initial)}: excluded"
