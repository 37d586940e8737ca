"""The single-sample estimator of the reverse KL described by Thinking Machines."""

from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Integer, Real

from odd.method.logspace import known_both, log_ratio
from odd.method.objectives.base import NOT_KNOWN, Gradient, LogProbs, Objective, Rollouts, Taken, finished
from odd.method.sparse_rows import SparseRow


def sampled_reverse_kl(
    log_p: LogProbs, log_q: LogProbs, visits: Real[np.ndarray, "*#B V"], temperature: float = 1.0
) -> Gradient:
    """Compute the single-sample estimator of the reverse KL, averaged over the rollouts through the node (eq. 2.9).

    This is the mean over visiting rollouts of (log P_te^r - log P_theta^r - 1)(delta_rj - P_theta^j), r the token
    taken. The -1 cancels only in expectation, which equals `reverse_kl`. Visits of unknown tokens are excluded.

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities.
        visits: how often *the student sampled* each token at the node; forced tokens do not count.
        temperature: loss temperature.

    Returns:
        The gradient; NaN without visits.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    with np.errstate(invalid="ignore"):
        reward = _share(log_p, visits) * -(log_ratio(log_p, log_q) + 1)
        gradient = reward - np.exp(log_p) * reward.sum(axis=-1, keepdims=True)
    return finished(gradient, unknown, temperature)


def _share(log_p: Float[np.ndarray, "*#B V"], visits: Real[np.ndarray, "*#B V"]) -> Float64[np.ndarray, "*#B V"]:
    """Return each token's share of the visits, counting only tokens with P_theta > 0."""
    counted = np.where(log_p > -np.inf, visits, 0)
    return counted / counted.sum(axis=-1, keepdims=True)


class SampledReverseKL(Objective):
    """KL(student || teacher), estimated from the tokens that the rollouts took."""

    name: Literal["sampled_reverse_kl"] = "sampled_reverse_kl"
    needs = frozenset({"visits"})
    default = True
    order = 4
    meaning = "Estimates the reverse KL from the token r sampled in each rollout."
    formula = r"\operatorname{mean}_r\, (\log P_{te}^r - \log P_\theta^r - 1)(\delta_{rj} - P_\theta^j)"

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """See `sampled_reverse_kl`."""
        if taken.visits is None:
            raise self.missing("visits")
        return sampled_reverse_kl(log_p, log_q, taken.visits, self.temperature)

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """Compute the policy-gradient surrogate: minus the mean of reward times log P_theta of the token taken."""
        if taken.visits is None:
            raise self.missing("visits")
        fixed, theirs, _ = known_both(log_p if at is None else at, log_q, self.temperature)
        own, _, _ = known_both(log_p, log_q, self.temperature)
        share = _share(fixed, taken.visits)
        return float(np.where(share > 0, share * (log_ratio(fixed, theirs) + 1) * own, 0.0).sum())

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Return reward_j - P_j (sum of rewards), with reward_r = -share_r (l_r + 1) for tokens that were taken."""
        if rollouts is None:
            raise self.missing("visits")
        visited = np.flatnonzero(rollouts.visits)
        tokens = np.concatenate([rollouts.tokens[visited], support])
        log_p, log_q = row.at(tokens)
        visits = np.append(rollouts.visits[visited], rollouts.visits_at(support))
        with np.errstate(invalid="ignore"):
            reward = -(visits / rollouts.visits.sum()) * (log_p - log_q + 1)
        total = reward[:, : len(visited)].sum(axis=1, keepdims=True)
        return reward[:, len(visited) :] - np.exp(log_p[len(visited) :]) * total
