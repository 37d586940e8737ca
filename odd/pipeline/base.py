"""Work on one question shared by runs and screenings: sample rollouts chunk by chunk and record the cost."""

import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from odd.config import RunConfig
from odd.errors import OddError
from odd.method.success import difficulty
from odd.models.base import encode_prompt
from odd.pipeline.demonstrations import Demonstrations
from odd.pipeline.events import Commit, Events, Insert, Step, Update, Use, timing
from odd.pipeline.stages import Stage
from odd.pipeline.teachers import Models
from odd.questions.base import Question
from odd.rollouts.sampling import Rollout, initial_chunks, sample_chunk
from odd.store.rows import rollout_rows
from odd.store.state import QuestionState

Chunks = Sequence[Sequence[tuple[int, ...]]]


class QuestionBase:
    """Work on one question.

    It starts from the stored state of the question, then tracks the state itself and yields events. It neither reads
    nor writes the run file.
    """

    def __init__(self, config: RunConfig, models: Models, question: Question, state: QuestionState) -> None:
        """Encode the student's prompt.

        Args:
            config: settings of the run.
            models: student, teachers, and the models that write for them.
            question: the question.
            state: its stored state.

        Raises:
            OddError: the prompt differs from the stored one.
        """
        self.config, self.models, self.question, self.state = config, models, question, state
        self.number, self.student = state.number, models.student
        self.prompt = encode_prompt(self.student, question.messages(templates=config.templates))
        if state.prompt not in ((), tuple(self.prompt)):
            raise OddError(
                f"question {question.id!r}: its prompt is no longer the one that the run was started with: restore the "
                "versions of transformers and tokenizers, or start a new run with another title"
            )
        self.demonstrations = Demonstrations(config, models, question, state)

    def initial_chunks(self) -> Chunks:
        """Return the chunks of the initial rollouts."""
        sampling = self.config.sampling
        return initial_chunks(sampling.initial_rollouts, self.config.screening.rollouts, sampling.chunk_size)

    def draw(self, stage: Literal["initial", "targeted"], plan: Chunks) -> Events[list[Rollout]]:
        """Return the student's rollouts of a stage; sample the missing ones chunk by chunk.

        Args:
            stage: initial or targeted.
            plan: forced prefix of each rollout of each chunk.
        """
        drawing = Drawing(self, stage, sum(map(len, plan)))
        for chunk, prefixes in enumerate(plan):
            yield from drawing.add(chunk, prefixes)
        return drawing.rollouts[: drawing.total]

    def insert(self, table: str, rows: Iterable[dict[str, Any]]) -> Insert:
        """Return the event that appends rows of this question."""
        return Insert(table, [row | {"question": self.number} for row in rows])

    def update(self, **values: str | None) -> Update:
        """Return the event that sets columns of the question's row."""
        return Update("questions", values, {"question": self.number})

    def describe(self, initial: Sequence[Rollout], **values: str | None) -> Update:
        """Return the event that sets the difficulty estimated from the initial rollouts, and other columns."""
        rate = float(np.mean([rollout.correct for rollout in initial]))
        return self.update(difficulty=difficulty(rate), **values)


class Drawing:
    """Rollouts of one stage of a question, sampled chunk by chunk.

    Attributes:
        total: maximum number of rollouts.
        rollouts: rollouts so far, in order.
        chunks: numbers of the finished chunks.
    """

    def __init__(self, base: QuestionBase, stage: Literal["initial", "targeted"], total: int) -> None:
        """Start from the stored rollouts."""
        self.base, self.total = base, total
        self.stage: Literal["initial", "targeted"] = stage
        self.rollouts = list(base.state.initial if stage == "initial" else base.state.targeted)
        self.chunks = {rollout.chunk for rollout in self.rollouts}
        self._first = base.config.sampling.initial_rollouts if stage == "targeted" else 0
        self._seconds, self._tokens = 0.0, 0

    def add(self, chunk: int, prefixes: Sequence[tuple[int, ...]]) -> Events[None]:
        """Sample a chunk unless it is stored."""
        if chunk in self.chunks:
            return
        base, stage = self.base, Stage(self.stage)
        if not self._tokens:
            yield self._step()  # the first chunk of long responses may take many minutes
        yield Use(base.config.student.label)
        started = time.perf_counter()
        made = sample_chunk(base.student, base.question, base.prompt, prefixes, base.config.sampling, self.stage, chunk)
        seconds = time.perf_counter() - started
        tokens = sum(len(rollout.token_ids) - rollout.launch for rollout in made)
        rows = rollout_rows(base.number, self._first + len(self.rollouts), made)
        cost = timing(base.number, stage, seconds, len(made), tokens)
        self.rollouts += made
        self.chunks.add(chunk)
        self._seconds, self._tokens = self._seconds + seconds, self._tokens + tokens
        yield Commit((Insert("rollouts", rows), cost), publish="if_due")
        yield self._step()

    def _step(self) -> Step:
        stage = Stage(self.stage)
        return Step(self.base.number, stage, len(self.rollouts), self.total, self._tokens, self._seconds)


def why_never(initial: Sequence[Rollout]) -> str:
    """Return the note for a question without a correct rollout."""
    if all(rollout.truncated for rollout in initial):
        return f"all {len(initial)} rollouts truncated: raise sampling.max_new_tokens"
    return f"no correct rollout among {len(initial)}: excluded"
