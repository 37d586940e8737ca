"""Table rows written by the work on a question; `odd.store.state` reads them back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from odd.rollouts.sampling import Rollout

Records = list[dict[str, Any]]

LogProbs = dict[tuple[int, float], np.ndarray]
"""Log-probabilities of the tokens of rollouts, float32 (T,), by rollout and loss temperature."""


def rollout_rows(question: int, first: int, rollouts: Sequence[Rollout]) -> Records:
    """Return rows of `rollouts`, numbered from `first`. If all log-probabilities are unknown, they become NULL."""
    return [
        {
            "question": question,
            "rollout": first + i,
            "stage": rollout.stage,
            "chunk": rollout.chunk,
            "launch": rollout.launch,
            "token_ids": rollout.token_ids,
            "length": rollout.length,
            "log_probs": None if _unknown(rollout) else rollout.log_probs,
            "text": None if rollout.missing else rollout.text,
            "answer": rollout.answer,
            "correct": rollout.correct,
            "truncated": rollout.truncated,
        }
        for i, rollout in enumerate(rollouts)
    ]


def _unknown(rollout: Rollout) -> bool:
    """Whether all log-probabilities are unknown or were cut off."""
    if rollout.launch or rollout.missing:
        return rollout.missing > 0
    return len(rollout.log_probs) > 0 and bool(np.isnan(rollout.log_probs).all())


def attempt_rows(question: int, source: str, first: int, temperature: float, made: Sequence[Rollout]) -> Records:
    """Return rows of `demonstrations`: tries of the model with the label `source`, numbered from `first`."""
    return [
        {
            "question": question,
            "source": source,
            "attempt": first + i,
            "chunk": rollout.chunk,
            "temperature": temperature,
            "text": rollout.text,
            "answer": rollout.answer,
            "correct": rollout.correct,
            "truncated": rollout.truncated,
        }
        for i, rollout in enumerate(made)
    ]


def screening_rows(question: int, context: str, first: int, made: Sequence[Rollout]) -> Records:
    """Return rows of `screening_rollouts`: responses of the student with a context, numbered from `first`."""
    return [
        {
            "question": question,
            "context": context,
            "rollout": first + i,
            "chunk": rollout.chunk,
            "tokens": len(rollout.token_ids),
            "text": rollout.text,
            "answer": rollout.answer,
            "correct": rollout.correct,
            "truncated": rollout.truncated,
        }
        for i, rollout in enumerate(made)
    ]


def log_prob_rows(question: int, teacher: str | None, log_probs: LogProbs) -> Records:
    """Return rows of `rollout_log_probs` of a teacher, or of the student for None."""
    same = {"question": question, "teacher": teacher}
    return [
        same | {"rollout": rollout, "temperature": temperature, "log_probs": values}
        for (rollout, temperature), values in log_probs.items()
    ]
