"""Agreement of a teacher's gradient with the ideal one at a node, under every convention (method §4).

Equation numbers are those of Armandpour et al., arXiv 2605.10889; dimension letters as in `odd.logspace`, and C the
components of a convention: K, or K + 1 with the rest. A score that is undefined is NaN, never 0.

A node is cut down to its children S_u by a `Convention`: `baseline` says whether gradients use the whole vocabulary
(`full`) or distributions renormalised on S_u (`children`), `rest` whether everything outside S_u is one more child
(`bucket`). `NodeSignal` computes each whole-vocabulary gradient once and serves all conventions from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer, Real

from odd.gradients import distillation_gradient
from odd.logspace import coarsen, condition, restrict, top_k_mask
from odd.objectives import Baseline, Objective, Rest
from odd.reward_to_go import RewardToGo

ZERO_NORM = 1e-7
"""A teacher's gradient no longer than this is zero: about the rounding of float32 log-probabilities."""

ZERO_IDEAL = 1e-30
"""The ideal gradient has no such rounding: it is exactly 0 where all children succeed alike, and no longer than P_theta
of an improbable child elsewhere, so that only underflow is left out."""


class NodeSignal:
    """The distillation signal of M teachers at one node.

    Args:
        log_p: student log-probabilities over the whole vocabulary.
        log_q: teacher log-probabilities, one row a teacher; -inf is unknown.
        visits: rollouts behind the sampled objectives, by token: those in which the student drew the token itself, or,
            under `pooled`, forced ones too. None if no objective needs them.
        successes: successes among these visits.
        to_go: by objective, mean reward-to-go of the rollouts through each token, of shape (M, V); for `minillm`.
    """

    def __init__(
        self,
        log_p: Float[np.ndarray, " V"],
        log_q: Float[np.ndarray, "M V"],
        visits: Real[np.ndarray, " V"] | None = None,
        successes: Real[np.ndarray, " V"] | None = None,
        to_go: Mapping[Objective, RewardToGo] | None = None,
    ) -> None:
        """Keep the arrays; nothing is computed yet."""
        self.log_p = log_p.astype(np.float64)
        self.log_q = log_q.astype(np.float64)
        self.visits = visits
        self.successes = successes
        self.to_go = to_go or {}
        self._gradients: dict[Objective, np.ndarray] = {}
        self._reduced: dict[tuple[bytes, Rest], tuple[np.ndarray, np.ndarray]] = {}

    def gradient(self, objective: Objective) -> Float64[np.ndarray, "M V"]:
        """Whole-vocabulary ascent direction of every teacher; computed at the first call."""
        if objective not in self._gradients:
            self._gradients[objective] = distillation_gradient(
                objective, self.log_p, self.log_q, self.visits, self.successes, self.to_go.get(objective)
            )
        return self._gradients[objective]

    def student(self, support: Integer[np.ndarray, " K"], baseline: Baseline, rest: Rest) -> Float64[np.ndarray, " C"]:
        """P_theta of the components of a convention: what `odd.gradients.ideal_gradient` takes with P̂.

        With a bucket the last entry is P_rest and they sum to 1. P̂_rest then goes last among the successes,
        NaN where no visit left S_u: this makes the score NaN, unless P_rest is exactly 0.
        """
        if rest == "off" and baseline == "full":
            return np.exp(self.log_p[support])
        return np.exp(self._reduce(support, rest)[0])

    def components(
        self, objective: Objective, support: Integer[np.ndarray, " K"], baseline: Baseline, rest: Rest
    ) -> Float64[np.ndarray, "M C"]:
        """Every teacher's gradient over S_u, and over the rest as last component when `rest` is `bucket`.

        `full`: the whole-vocabulary gradient at S_u; the rest is the sum of all other components, which is minus the
        sum over S_u, because a gradient in logits sums to 0. `children`: the objective anew on both
        distributions, renormalised on S_u or coarsened to S_u and the rest, with visits and rewards cut down alike.
        """
        if baseline == "full":
            inside = self.gradient(objective)[:, support]
            return inside if rest == "off" else np.append(inside, -inside.sum(axis=1, keepdims=True), axis=1)
        log_p, log_q = self._reduce(support, rest)
        visits, successes = (_reduce_counts(counts, support, rest) for counts in (self.visits, self.successes))
        to_go = _reduce_to_go(self.to_go.get(objective), self.visits, support, rest)
        return distillation_gradient(objective, log_p, log_q, visits, successes, to_go)

    def _reduce(self, support: np.ndarray, rest: Rest) -> tuple[np.ndarray, np.ndarray]:
        """Student and teachers renormalised on S_u, or coarsened to S_u and the rest; kept for other objectives."""
        key = (support.tobytes(), rest)
        if key not in self._reduced:
            reduce = restrict if rest == "off" else coarsen
            self._reduced[key] = reduce(self.log_p, support), reduce(self.log_q, support)
        return self._reduced[key]


def _reduce_counts(counts: np.ndarray | None, support: np.ndarray, rest: Rest) -> np.ndarray | None:
    if counts is None:
        return None
    inside = counts[support]
    return inside if rest == "off" else np.append(inside, counts.sum() - inside.sum())


def _reduce_to_go(
    to_go: RewardToGo | None, visits: np.ndarray | None, support: np.ndarray, rest: Rest
) -> RewardToGo | None:
    """Rewards-to-go of S_u, and of the rest as a mean over its visits: NaN without any."""
    if to_go is None or rest == "off":
        return to_go and RewardToGo(to_go.first[:, support], to_go.later[:, support])
    if visits is None:
        raise ValueError("the reward-to-go of the rest is weighted by visits: give them")
    outside = visits.astype(np.float64)
    outside[support] = 0

    def joined(values: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            mean = np.where(outside > 0, outside * values, 0.0).sum(axis=1, keepdims=True) / outside.sum()
        return np.append(values[:, support], mean, axis=1)

    return RewardToGo(joined(to_go.first), joined(to_go.later))


def cosine(ideal: Float[np.ndarray, "*#B K"], teacher: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B"]:
    """Align(u) = <g_ideal, g_D> / (|g_ideal| |g_D|) (eq. 2.12); NaN where one of the two is zero.

    Zero means a norm of at most `ZERO_IDEAL` and `ZERO_NORM`, respectively.
    """
    norms = np.linalg.norm(ideal, axis=-1), np.linalg.norm(teacher, axis=-1)
    zero = (norms[0] <= ZERO_IDEAL) | (norms[1] <= ZERO_NORM)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (ideal * teacher).sum(axis=-1) / (norms[0] * norms[1])
    return np.asarray(np.where(zero, np.nan, np.clip(value, -1.0, 1.0)))


def gain(ideal: Float[np.ndarray, "*#B K"], teacher: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B"]:
    """<g_ideal, g_D> / |g_D|: first-order change of success per unit step. NaN where |g_D| is at most `ZERO_NORM`."""
    norm = np.linalg.norm(teacher, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (ideal * teacher).sum(axis=-1) / norm
    return np.asarray(np.where(norm <= ZERO_NORM, np.nan, value))


class PosteriorAlignment(NamedTuple):
    """95 % intervals of alignment and gain, and P(Align > 0); one entry a teacher gradient."""

    align_low: Float64[np.ndarray, " M"]
    align_high: Float64[np.ndarray, " M"]
    gain_low: Float64[np.ndarray, " M"]
    gain_high: Float64[np.ndarray, " M"]
    p_positive: Float64[np.ndarray, " M"]


def posterior_alignment(ideal_draws: Float[np.ndarray, "D K"], teacher: Float[np.ndarray, "M K"]) -> PosteriorAlignment:
    """Uncertainty of alignment and gain that comes from P̂ being estimated.

    Args:
        ideal_draws: `ideal_gradient` of posterior draws of P̂, the rest's included if the components have one.
        teacher: components of any number of teachers and objectives under the same convention.

    Returns:
        NaN for gradients that are zero or unknown; draws whose ideal gradient is zero have no alignment and are
        left out of its interval and of P(Align > 0).
    """
    ideal_norm = np.linalg.norm(ideal_draws, axis=1)
    teacher_norm = np.linalg.norm(teacher, axis=1)
    scale = np.where(teacher_norm > ZERO_NORM, teacher_norm, np.nan)
    defined = ideal_norm > ZERO_IDEAL
    gains = (ideal_draws @ teacher.T) / scale
    aligned = gains[defined] / ideal_norm[defined, None]
    with np.errstate(invalid="ignore"):
        positive = np.where(np.isnan(aligned), np.nan, aligned > 0)
        share = positive.sum(axis=0) / len(positive)
    low, high = _interval(np.clip(aligned, -1.0, 1.0))
    return PosteriorAlignment(low, high, *_interval(gains), share)


def _interval(draws: Float64[np.ndarray, "D M"]) -> tuple[Float64[np.ndarray, " M"], Float64[np.ndarray, " M"]]:
    """Central 95 % of each column; NaN for a column with NaN, and without any row."""
    if not len(draws):
        return np.full(draws.shape[1], np.nan), np.full(draws.shape[1], np.nan)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return low, high


def teacher_advantage(
    log_p: Float[np.ndarray, "*#B K"], log_q: Float[np.ndarray, "*#B K"], success: Float[np.ndarray, "*#B K"]
) -> Float64[np.ndarray, "*#B"]:
    """Adv(u): mean P̂ under the teacher minus that under the student, both renormalised on S_u (eq. 2.1).

    Args:
        log_p: student log-probabilities of the children.
        log_q: teacher log-probabilities of the children; one unknown (-inf), or no child, makes the result NaN.
        success: P̂ of the children.
    """
    every = np.arange(log_p.shape[-1])
    shift = np.exp(restrict(log_q, every)) - np.exp(restrict(log_p, every))
    known = (log_q > -np.inf).all(axis=-1) & (len(every) > 0)
    return np.asarray(np.where(known, (shift * success).sum(axis=-1), np.nan))


@dataclass(frozen=True)
class Divergences:
    """How far a teacher is from the student at a node, over the whole vocabulary, in nats."""

    kl_student_teacher: Float64[np.ndarray, "*#B"]
    kl_teacher_student: Float64[np.ndarray, "*#B"]
    js: Float64[np.ndarray, "*#B"]
    l2: Float64[np.ndarray, "*#B"]
    probability_cosine: Float64[np.ndarray, "*#B"]
    entropy_student: Float64[np.ndarray, "*#B"]
    entropy_teacher: Float64[np.ndarray, "*#B"]


def divergences(log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"]) -> Divergences:
    """KL both ways, Jensen-Shannon, L2 and cosine of the probability vectors, and both entropies.

    Where the teacher leaves tokens unknown (-inf), everything but the student's entropy is of both
    distributions conditioned on the known ones. KL(teacher || student) is infinite where only the student has a 0.
    """
    log_p, log_q = log_p.astype(np.float64, copy=False), log_q.astype(np.float64, copy=False)
    entropy_student = -_expectation(np.exp(log_p), log_p)
    known = log_q > -np.inf
    if not known.all():
        log_p, log_q = condition(log_p, known), condition(log_q, known)
    p, q = np.exp(log_p), np.exp(log_q)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_m = np.log(p + q) - np.log(2.0)
        js = (_expectation(p, log_p - log_m) + _expectation(q, log_q - log_m)) / 2
        kl_student_teacher = _expectation(p, log_p - log_q)
        kl_teacher_student = _expectation(q, log_q - log_p)
    norms = np.linalg.norm(p, axis=-1) * np.linalg.norm(q, axis=-1)
    values = {
        "kl_student_teacher": kl_student_teacher,
        "kl_teacher_student": kl_teacher_student,
        "js": js,
        "l2": np.linalg.norm(p - q, axis=-1),
        "probability_cosine": (p * q).sum(axis=-1) / norms,
        "entropy_student": entropy_student,
        "entropy_teacher": -_expectation(q, log_q),
    }
    return Divergences(**{name: np.asarray(value) for name, value in values.items()})


def _expectation(
    weight: Float64[np.ndarray, "*#B V"], value: Float64[np.ndarray, "*#B V"]
) -> Float64[np.ndarray, "*#B"]:
    """Sum of weight * value, 0 where the weight is 0 whatever the value."""
    with np.errstate(invalid="ignore"):
        total = np.asarray(np.vecdot(weight, value))
        if np.isnan(total).any():  # perhaps of a 0 times an infinity, which needs a second look
            total = np.asarray(np.where(weight > 0, weight * value, 0.0).sum(axis=-1))
    return total


def top_k_overlap(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], k: int = 16
) -> Float64[np.ndarray, "*#B"]:
    """Share of the k most probable tokens that student and teacher have in common, |intersection| / k.

    A vocabulary of fewer than k tokens counts as k = V; unknown teacher tokens are in no top set.
    """
    shared = top_k_mask(log_p, k) & top_k_mask(log_q, k) & (log_q > -np.inf)
    return np.asarray(shared.sum(axis=-1) / min(k, log_p.shape[-1]))


def mass_on_top_k(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], k: int = 16
) -> Float64[np.ndarray, "*#B"]:
    """Mass that `log_q` puts on the k most probable tokens of `log_p`; swap the two for the reverse."""
    return _expectation(top_k_mask(log_p, k).astype(np.float64), np.exp(log_q, dtype=np.float64))


def success_range(success: Float[np.ndarray, "*B K"]) -> Float64[np.ndarray, "*B"]:
    """Largest minus smallest P̂ over S_u; NaN without children or with an unknown P̂."""
    if success.shape[-1] == 0:
        return np.full(success.shape[:-1], np.nan)
    return np.asarray(success.max(axis=-1) - success.min(axis=-1), dtype=np.float64)


def is_decision_point(success: Float[np.ndarray, "*B K"]) -> Bool[np.ndarray, "*B"]:
    """Whether S_u has at least two children and not all have the same P̂."""
    return np.asarray((success_range(success) > 0) & (success.shape[-1] >= 2))
