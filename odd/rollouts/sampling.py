"""Sampling and verification of student rollouts, from the root or from a forced prefix (method §5, steps 1 and 5).

Rollouts are sampled in chunks of `chunk_size`. The seed of a chunk is derived from the run's seed, the question, the
stage and the chunk number, so a run that is interrupted between chunks resumes to the same result. Demonstrations and
rollouts with a context (method §6) are sampled in the same way.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from odd.config import SamplingConfig
from odd.models.base import Generation, LanguageModel
from odd.questions.base import Question
from odd.questions.thinking import ends_in_thinking
from odd.questions.verifiers import is_correct, read_answer

Stage = Literal["initial", "targeted", "demonstration", "context"]


@dataclass(frozen=True, eq=False)
class Rollout:
    """One response.

    `token_ids`, int32 (T,), starts with `launch` forced tokens (0 for an initial rollout). Their log-probabilities in
    `log_probs`, float32 (T,), are NaN, as they were not sampled. A truncated response has no answer and is wrong.
    `missing` is the number of tokens that `odd.rollouts.cutting` has cut off at the end, with text and log_probs.
    """

    stage: Stage
    chunk: int
    launch: int
    token_ids: np.ndarray
    log_probs: np.ndarray
    text: str
    answer: str | None
    correct: bool
    truncated: bool
    missing: int = 0

    @property
    def length(self) -> int:
        """Number of tokens, including those that were cut off."""
        return len(self.token_ids) + self.missing

    def starts_with(self, prefix: Sequence[int]) -> bool:
        """Return whether the response starts with these tokens."""
        return np.array_equal(self.token_ids[: len(prefix)], prefix)

    @property
    def forced(self) -> tuple[int, ...]:
        """The forced prefix."""
        return tuple(self.token_ids[: self.launch].tolist())


def derived_seed(*parts: str | int) -> int:
    """Hash all parts to a 63-bit seed."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def chunks(forced: Sequence[tuple[int, ...]], chunk_size: int) -> list[list[tuple[int, ...]]]:
    """Sort forced prefixes, one per rollout, by length and split them into chunks."""
    ordered = sorted(forced, key=lambda prefix: (len(prefix), prefix))
    return [ordered[start : start + chunk_size] for start in range(0, len(ordered), chunk_size)]


def initial_chunks(total: int, baseline: int, chunk_size: int) -> list[list[tuple[int, ...]]]:
    """Split initial rollouts into chunks; the first `baseline`, those of a screening, fill chunks of their own."""
    baseline = min(baseline, total)
    return [*chunks([()] * baseline, chunk_size), *chunks([()] * (total - baseline), chunk_size)]


def sample_chunk(
    model: LanguageModel,
    question: Question,
    prompt: Sequence[int],
    forced: Sequence[tuple[int, ...]],
    sampling: SamplingConfig,
    stage: Stage,
    chunk: int,
    source: str | None = None,
) -> list[Rollout]:
    """Sample and verify one rollout per forced prefix.

    A forced prefix that is already a complete response (it ends with an end token or reaches the length limit) is not
    continued.

    Args:
        model: the model to sample.
        question: the question, for verification.
        prompt: token ids of the prompt.
        forced: forced response prefixes, one per rollout.
        sampling: settings.
        stage: stage of the rollouts; part of the seed, as are `chunk` and `source`.
        chunk: number of the chunk.
        source: distinguishes chunks of the same stage and number.
    """
    limits = [sampling.max_new_tokens - len(prefix) for prefix in forced]
    complete = [bool(prefix) and model.tokenizer.is_end(prefix[-1]) for prefix in forced]
    open_rows = [i for i, limit in enumerate(limits) if limit > 0 and not complete[i]]
    seed = derived_seed(sampling.seed, question.id, stage, *([] if source is None else [source]), chunk)
    prefixes, rest = [(*prompt, *forced[i]) for i in open_rows], [limits[i] for i in open_rows]
    made = model.sampler.sample(prefixes, rest, sampling.temperature, seed, sampling.batch_size) if open_rows else []
    drawn = dict(zip(open_rows, made, strict=True))
    nothing = np.empty(0, np.float32)
    inside = opens_thinking(model, prompt)
    return [
        _verified(
            model, question, stage, chunk, prefix, drawn.get(i) or Generation((), nothing, not complete[i]), inside
        )
        for i, prefix in enumerate(forced)
    ]


def opens_thinking(model: LanguageModel, prompt: Sequence[int]) -> bool:
    """Whether the prompt opens the thinking part, as some chat templates do."""
    return ends_in_thinking(model.tokenizer.decode(prompt), model.thinking_marks)


def _verified(
    model: LanguageModel,
    question: Question,
    stage: Stage,
    chunk: int,
    forced: tuple[int, ...],
    drawn: Generation,
    inside: bool,
) -> Rollout:
    """Join `forced` and the tokens drawn after it, and verify the answer."""
    tokens = (*forced, *drawn.token_ids)
    text = model.tokenizer.decode(tokens)
    answer = None if drawn.truncated else read_answer(question, text, inside, model.thinking_marks)
    return Rollout(
        stage=stage,
        chunk=chunk,
        launch=len(forced),
        token_ids=np.array(tokens, dtype=np.int32),
        log_probs=np.concatenate([np.full(len(forced), np.nan, np.float32), drawn.log_probs]),
        text=text,
        answer=answer,
        correct=is_correct(question, answer),
        truncated=drawn.truncated,
    )
