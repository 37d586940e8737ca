"""Checks of scores: whether student and teachers score the same positions, and what truncation to top-k would lose."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from odd.config import RunConfig, TeacherConfig
from odd.method.engine_gap import LAGS, lag_correlation
from odd.method.logspace import top_k_mask
from odd.models.base import LanguageModel, encode_prompt
from odd.pipeline.checks.finding import Finding, judged
from odd.pipeline.checks.sample import Sample, messages_of
from odd.pipeline.contexts import teacher_temperature
from odd.questions.contexts import ContextUnavailable
from odd.rollouts.sampling import Rollout

TOKENS = 128
"""Tokens of each rollout that are scored."""
TOP_K = 16
"""Size of the top-k support, as in published recipes."""
GAP, FAR = 0.05, 2.0
"""Nats per token: mean gap between sampled and scored log-probabilities, and distance of a teacher from the student,
beyond which something is wrong."""
LOST = 0.2
"""Share of positions without a signal beyond which a loss is warned about."""


@dataclass
class Rows:
    """Scores along rollouts, one array per rollout in each list.

    Attributes:
        student: the student's log-probability of each token, in nats.
        teacher: the teacher's.
        student_mass: the student's probability mass on the teacher's top-k support.
        teacher_mass: the teacher's.
        lost: 1 where the forward KL on that support is negative.
    """

    student: list[np.ndarray] = field(default_factory=list)
    teacher: list[np.ndarray] = field(default_factory=list)
    student_mass: list[np.ndarray] = field(default_factory=list)
    teacher_mass: list[np.ndarray] = field(default_factory=list)
    lost: list[np.ndarray] = field(default_factory=list)

    def add(
        self,
        config: RunConfig,
        teacher: TeacherConfig,
        sample: Sample,
        rollout: Rollout,
        prompt: Sequence[int],
        student: LanguageModel,
        model: LanguageModel,
    ) -> None:
        """Score a rollout with student and teacher."""
        tokens = rollout.token_ids[:TOKENS].tolist()
        if not tokens:
            return
        temperature = teacher_temperature(teacher, config.sampling)
        own = _slices(student.scorer.read(sample.prompt, [tokens], config.sampling.temperature))
        its = _slices(model.scorer.read(prompt, [tokens], temperature))
        found = [_position(p, q, token) for p, q, token in zip(own, its, tokens, strict=True)]
        columns = np.array(found, np.float64).T
        for values, column in zip(
            (self.student, self.teacher, self.student_mass, self.teacher_mass, self.lost), columns, strict=True
        ):
            values.append(column)


def student_scores(config: RunConfig, student: LanguageModel, samples: Sequence[Sample]) -> Iterator[Finding]:
    """Report the gap between the sampler's log-probabilities and the scorer's."""
    sampled, scored, first = [], [], []
    for sample in samples:
        written = [one for one in sample.rollouts if len(one.token_ids)]
        tokens = [one.token_ids[:TOKENS].tolist() for one in written]
        own = student.scorer.token_log_probs(sample.prompt, tokens, (config.sampling.temperature,))
        scored += [values[0] for values in own]
        sampled += [one.log_probs[:TOKENS] for one in written]
        first += [np.arange(len(row)) == 0 for row in tokens]
    if not scored:
        yield Finding("engine gap", "warning", "all rollouts are empty", "check the student's chat template")
        return
    gaps = np.abs(np.concatenate(scored) - np.concatenate(sampled))
    start = np.exp(gaps[np.concatenate(first)]).max()
    yield judged(
        "engine gap",
        bool(np.isfinite(gaps).all() and gaps.mean() <= GAP),
        f"sampled and scored log-probabilities differ by {gaps.mean():.4f} nats per token on average, by "
        f"{gaps.max():.4f} at most; ratio at the first token up to {start:.3f}",
        "sampler and scorer disagree: same weights, same precision, and log-probabilities after the temperature?",
    )


def teacher_scores(
    config: RunConfig, teacher: TeacherConfig, model: LanguageModel, student: LanguageModel, samples: Sequence[Sample]
) -> Iterator[Finding]:
    """Report a teacher's log-probabilities of the rollouts against the student's, and the mass of top-k supports."""
    rows = Rows()
    for number, sample in enumerate(samples):
        others = [one for i, other in enumerate(samples) if i != number for one in other.rollouts]
        try:
            prompt = encode_prompt(student, messages_of(teacher, sample, config, others))
        except ContextUnavailable:  # reported with the teacher's prompt
            continue
        for rollout in sample.rollouts:
            rows.add(config, teacher, sample, rollout, prompt, student, model)
    if not rows.student:
        yield Finding(f"scores of {teacher.name}", "warning", "no rollout could be scored with its context")
        return
    if is_self_check(config, teacher, model, student):
        yield self_check(rows, teacher.name)
    yield from findings_of(rows, teacher.name)


def is_self_check(config: RunConfig, teacher: TeacherConfig, model: LanguageModel, student: LanguageModel) -> bool:
    """Whether a teacher has the student's weights, prompt and temperature, and so must score like the student."""
    same = teacher.context == "none" and model.digest == student.digest
    return same and teacher_temperature(teacher, config.sampling) == config.sampling.temperature


def self_check(rows: Rows, teacher: str) -> Finding:
    """Judge whether a teacher with the student's weights scores like the student."""
    gap = float(np.abs(np.concatenate(rows.student) - np.concatenate(rows.teacher)).max())
    return judged(
        f"self-check of {teacher}",
        gap <= GAP,
        f"it has the student's weights, prompt and temperature; log-probabilities differ by {gap:.4f} nats at most",
        "the same weights give other scores: another device, precision or engine than the student's?",
    )


def findings_of(rows: Rows, teacher: str) -> Iterator[Finding]:
    """Judge the scores of a teacher."""
    own, its = np.concatenate(rows.student), np.concatenate(rows.teacher)
    infinite = float(np.mean(~np.isfinite(its)))
    yield judged(
        f"finite scores of {teacher}",
        infinite == 0,
        f"{len(its):,} positions, {infinite:.1%} without a finite log-probability",
        "the teacher gives no probability to tokens of the student: check its vocabulary, precision and top-k",
    )
    known = np.isfinite(its) & np.isfinite(own)
    distance = float(own[known].mean() - its[known].mean()) if known.any() else np.inf
    yield judged(
        f"level of {teacher}",
        distance <= FAR,
        f"mean log-probability {its[known].mean():.3f}, the student's {own[known].mean():.3f} nats per token",
        "far below the student's: another prompt, template, tokenizer or model than meant?",
    )
    lags = {lag: lag_correlation(rows.student, rows.teacher, lag) for lag in LAGS}
    text = ", ".join(f"{value:.2f} at lag {lag:+d}" if lag else f"{value:.2f} at lag 0" for lag, value in lags.items())
    if not np.isfinite(list(lags.values())).all():
        yield Finding(f"lag of {teacher}", "ok", "too few positions, or constant scores: no correlation")
    else:
        yield judged(
            f"lag of {teacher}",
            lags[0] >= max(lags.values()),
            f"correlation of its log-probabilities with the student's: {text}",
            "the scores are shifted by a position: logits, labels or prompt of the teacher are off by one",
        )
    mass, ours = np.concatenate(rows.teacher_mass), np.concatenate(rows.student_mass)
    yield judged(
        f"top-{TOP_K} of {teacher}",
        bool(mass.mean() >= 0.9),
        f"its {TOP_K} most probable tokens have {mass.mean():.1%} of its mass, and {ours.mean():.1%} of the student's",
        "a loss on a top-k support ignores the rest: use a larger k, or a tail bucket",
    )
    lost = np.concatenate(rows.lost)
    yield judged(
        f"clamped top-{TOP_K} loss of {teacher}",
        bool(lost.mean() <= LOST),
        f"the forward KL on these tokens is negative at {lost.mean():.1%} of positions: a clamped loss has no gradient",
        "zero loss is no agreement there: do not clamp, or renormalise on the support",
    )


def _slices(read: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for part in read:
        yield from part


def _position(log_p: np.ndarray, log_q: np.ndarray, token: int) -> tuple[float, float, float, float, float]:
    """Return the quantities of a position.

    Returns:
        Student's and teacher's log-probability of the token, their mass on the teacher's top-k support, and 1 if the
        forward KL on that support is negative.
    """
    size = min(len(log_p), len(log_q))
    log_p, log_q = log_p[:size].astype(np.float64), log_q[:size].astype(np.float64)
    top = top_k_mask(log_q, min(TOP_K, size))
    p, q = np.exp(log_p[top]), np.exp(log_q[top])
    with np.errstate(invalid="ignore"):
        divergence = float(np.sum(np.where(q > 0, q * (log_q[top] - log_p[top]), 0.0)))
    return float(log_p[token]), float(log_q[token]), float(p.sum()), float(q.sum()), float(divergence < 0)
