"""What a run and a screening do alike with one question: draw rollouts chunk by chunk, and keep count of the cost."""

import time
from collections.abc import Sequence

import numpy as np

from odd.method.success import difficulty
from odd.pipeline.demonstrations import Demonstrations
from odd.pipeline.frame import Frame
from odd.rollouts.sampling import Rollout, Stage, initial_chunks, sample_chunk
from odd.store import state

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
        drawing = Drawing(self, stage, sum(map(len, plan)))
        for chunk, prefixes in enumerate(plan):
            drawing.add(chunk, prefixes)
        return drawing.rollouts[: drawing.total]

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


class Drawing:
    """Rollouts of one stage of a question, as they come.

    Attributes:
        total: how many there will be, at most.
        rollouts: those there are, in order.
        chunks: numbers of the chunks that they fill.
    """

    def __init__(self, question: QuestionBase, stage: Stage, total: int) -> None:
        """Take up those in the run file."""
        self.question, self.total = question, total
        self.stage: Stage = stage
        self.rollouts = state.stored_rollouts(question.writer, question.number, stage)
        self.chunks = {rollout.chunk for rollout in self.rollouts}
        self.spent, self.tokens = 0.0, 0

    def add(self, chunk: int, prefixes: Sequence[tuple[int, ...]]) -> None:
        """Draw a chunk and keep it, unless it is there."""
        if chunk in self.chunks:
            return
        base = self.question
        offset = base.config.sampling.initial_rollouts if self.stage == "targeted" else 0
        started = time.perf_counter()
        made = sample_chunk(base.student, base.question, base.prompt, prefixes, base.config.sampling, self.stage, chunk)
        seconds = time.perf_counter() - started
        tokens = sum(len(rollout.token_ids) - rollout.launch for rollout in made)
        with base.writer.transaction():
            state.insert_rollouts(base.writer, base.number, offset + len(self.rollouts), made)
            base.time(self.stage, None, seconds, len(made), tokens)
        self.rollouts += made
        self.chunks.add(chunk)
        self.spent, self.tokens = self.spent + seconds, self.tokens + tokens
        base.frame.report(self.stage, base.number, len(self.rollouts), self.total, self.tokens, self.spent)
        base.writer.publish_meanwhile()


def why_never(initial: Sequence[Rollout]) -> str:
    """What is to be said of a question without a correct rollout."""
    if all(rollout.truncated for rollout in initial):
        return f"all {len(initial)} rollouts truncated: raise sampling.max_new_tokens"
    return f"no correct rollout among {len(initial)}: excluded"
