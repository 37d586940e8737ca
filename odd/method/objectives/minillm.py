"""MiniLLM's policy gradient, whose reward is the rest of the response."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer
from pydantic import Field

from odd.method.logspace import fill_with_mean, known_both, log_ratio, weighted_deviation
from odd.method.objectives.base import NOT_KNOWN, Gradient, LogProbs, Objective, Rollouts, Taken, finished
from odd.method.reward_to_go import RewardToGo, split_rewards
from odd.method.sparse_rows import SparseRow


def minillm(
    log_p: LogProbs,
    log_q: LogProbs,
    first: Float[np.ndarray, "*#B V"],
    later: Float[np.ndarray, "*#B V"],
    temperature: float = 1.0,
) -> Gradient:
    """MiniLLM's policy gradient (eq. 2.10, method §3).

    P_theta^j (f_j - mean f), f_k the mean reward-to-go of the rollouts through u -> k, split as in MiniLLM
    (arXiv 2306.08543, eq. 4) into the single step, which is known exactly, and what followed:
    f_k = first_k (log P_te^k - log P_theta^k) + later_k. The sign printed in eq. 2.10 is opposite to that of eq. 2.9;
    this is the ascent direction. gamma = 0 makes it `reverse_kl`.

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities.
        first: by token, mean weight of the single step, of `odd.method.reward_to_go.split_rewards`; NaN where no
            rollout took the token: what would have followed is unknown, and the P_theta-weighted mean of the others
            stands for it.
        later: by token, mean of what followed; NaN in the same places.
        temperature: of the loss; `later` is to be of distributions softened alike.

    Returns:
        The gradient; NaN where no rollout took any token.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    reward = fill_with_mean(log_p, first) * -log_ratio(log_p, log_q) + fill_with_mean(log_p, later)
    return finished(weighted_deviation(log_p, reward), unknown, temperature)


class MiniLLM(Objective):
    """Reward-to-go along rollouts. Student and teachers score all of them, so a run has it only where asked."""

    name: Literal["minillm"] = "minillm"
    gamma: float = Field(default=1.0, ge=0, le=1, description="discount of later tokens; TRL's is 0")
    length_normalization: bool = Field(default=False, description="divide by the length that remains; TRL's is true")
    needs = frozenset({"rewards"})
    order = 8

    @property
    def parameters(self) -> str:
        """Discount and normalization."""
        return f"_{self.gamma:g}" + ("_normalized" if self.length_normalization else "")

    def rewards_to_go(self, rewards: Float[np.ndarray, "*B R T"], inside: Bool[np.ndarray, "*#B R T"]) -> RewardToGo:
        """The discounted rewards from each token on."""
        return split_rewards(rewards, inside, self.gamma, self.length_normalization)

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """See `minillm`."""
        if taken.to_go is None:
            raise self.missing("rewards-to-go")
        return minillm(log_p, log_q, taken.to_go.first, taken.to_go.later, self.temperature)

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """Policy-gradient surrogate: minus the expected reward, rewards being constants."""
        if taken.to_go is None:
            raise self.missing("rewards-to-go")
        fixed, theirs, _ = known_both(log_p if at is None else at, log_q, self.temperature)
        log_p, _, _ = known_both(log_p, log_q, self.temperature)
        first, later = (fill_with_mean(fixed, values) for values in (taken.to_go.first, taken.to_go.later))
        return -float((np.exp(log_p) * (first * -log_ratio(fixed, theirs) + later)).sum())

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """P_j (f_j - mean f): f of tokens that were not taken is linear in l, whose mean is the divergence."""
        known = None if rollouts is None else rollouts.to_go.get(self)
        if rollouts is None or known is None:
            raise self.missing("rewards-to-go")
        log_p, log_q = row.at(rollouts.tokens)
        p, ratio = np.exp(log_p), log_p - log_q
        found = ~np.isnan(known.first)
        mass = np.where(found, p, 0.0)
        with np.errstate(invalid="ignore"):
            first, later = (
                np.where(found, p * values, 0.0).sum(axis=1, keepdims=True) / mass.sum(axis=1, keepdims=True)
                for values in (known.first, known.later)
            )
            rewards = np.where(found, mass * (known.later - known.first * ratio), 0.0).sum(axis=1, keepdims=True)
        rest = row.mass_outside(rollouts.tokens, found)
        ratio_outside = row.kl_student_teacher[:, None] - (mass * ratio).sum(axis=1, keepdims=True)
        mean = rewards - first * ratio_outside + later * rest
        own_p, own_q = row.at(support)
        at = rollouts.to_go_at(self, support)
        assert at is not None
        f = np.where(np.isnan(at.first), first, at.first) * (own_q - own_p)
        f = f + np.where(np.isnan(at.later), later, at.later)
        return np.exp(own_p) * (f - mean)
