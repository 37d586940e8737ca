"""Checks of cost: memory, tokens and time of the run."""

import time
from collections.abc import Iterator, Sequence

import psutil

from odd.config import RunConfig
from odd.models.base import LanguageModel
from odd.pipeline.checks.finding import Finding, judged
from odd.pipeline.checks.sample import Sample, lengths
from odd.pipeline.cost import known_speed
from odd.pipeline.estimate import estimate, sampled_speed
from odd.text import rough

SPARE = 0.1
"""Share of the memory that should stay free."""


def cost_findings(
    config: RunConfig, questions: int, student: LanguageModel, samples: Sequence[Sample], seconds: float
) -> Iterator[Finding]:
    """Report memory used so far, and tokens and time of the whole run.

    Args:
        config: settings of the run.
        questions: number of its questions.
        student: the student.
        samples: rollouts of the check.
        seconds: time that sampling them took.
    """
    used, memory = psutil.Process().memory_info().rss, psutil.virtual_memory()
    yield judged(
        "memory",
        memory.available >= SPARE * memory.total,
        f"{used / 1e9:.1f} GB with all models loaded, {memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB free",
        "lower sampling.batch_size and student.scoring_memory, or use dtype bfloat16",
    )
    tokens = lengths(samples)
    started = time.perf_counter()
    student.scorer.token_log_probs(samples[0].prompt, [one.token_ids.tolist() for one in samples[0].rollouts], (1.0,))
    read = sum(len(one.token_ids) for one in samples[0].rollouts) / max(time.perf_counter() - started, 1e-6)
    speed = known_speed(config.cache, config.student) or sampled_speed(
        tokens.sum() / max(seconds, 1e-6), read, max(1.0, float(tokens.mean()))
    )
    found = estimate(config, questions, speed)
    rollouts = found.initial_rollouts + found.targeted_rollouts
    drawn = found.initial_rollouts * tokens.mean() + found.targeted_rollouts * tokens.mean() * speed.rest
    yield Finding(
        "time",
        "ok",
        f"{rough(found.seconds)} for {questions} questions, {rollouts:,} rollouts and {drawn:,.0f} sampled tokens, "
        f"at the speed of {speed.source}",
    )
