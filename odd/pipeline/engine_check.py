"""Engine check: rollouts that servers sampled are scored again, by the engine that reads the paths."""

from dataclasses import asdict
from typing import Any

from odd.config import RunConfig
from odd.method.engine_gap import engine_gap
from odd.models.base import LanguageModel
from odd.store import RunWriter, state
from odd.text import to_json

QUESTIONS, ROLLOUTS = 8, 4
"""Questions from which rollouts are taken, and how many of each."""


def check_engines(writer: RunWriter, config: RunConfig, student: LanguageModel) -> None:
    """Compare the sampled log-probabilities of a run with those of the scorer; store the gap in `meta`.

    Runs whose student is not on a server are skipped, as are rollouts from logs.
    """
    if not config.student.server or config.imported is not None:
        return
    sampled, scored = [], []
    for prompt, rollouts in state.first_rollouts(writer, QUESTIONS, ROLLOUTS):
        known = [(tokens, log_probs) for tokens, log_probs in rollouts if len(tokens)]
        temperature = config.sampling.temperature
        found = student.scorer.token_log_probs(prompt, [tokens for tokens, _ in known], (temperature,))
        sampled += [log_probs for _, log_probs in known]
        scored += [one for (one,) in found]
    gap = engine_gap(sampled, scored)
    if gap is None:
        return
    kept: dict[str, Any] = asdict(gap) | {
        "scorer": config.student.scorer,
        "below": state.shares_below(writer, gap.mean),
    }
    with writer.transaction():
        writer.set_meta("engine_check", to_json(kept))
