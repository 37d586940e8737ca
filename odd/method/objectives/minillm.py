"""MiniLLM's policy gradient: the reward of a token is the rest of the response."""

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
    """Compute MiniLLM's policy gradient (eq. 2.10, method §3).

    The gradient is P_theta^j (f_j - mean f), with f_k the mean reward-to-go of the rollouts through u -> k. As in
    MiniLLM (arXiv 2306.08543, eq. 4), it is split into the single step, which is known exactly, and the later rewards:
    f_k = first_k (log P_te^k - log P_theta^k) + later_k. The sign printed in eq. 2.10 is opposite to that of eq. 2.9;
    this is the ascent direction. With gamma = 0 it equals `reverse_kl`.

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities.
        first: mean weight of the single step per token, from `odd.method.reward_to_go.split_rewards`; NaN where no
            rollout took the token: it is replaced with the P_theta-weighted mean of the others.
        later: mean later reward per token; NaN for the same tokens.
        temperature: loss temperature; `later` must come from distributions softened likewise.

    Returns:
        The gradient; NaN where no rollout took any token.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    reward = fill_with_mean(log_p, first) * -log_ratio(log_p, log_q) + fill_with_mean(log_p, later)
    return finished(weighted_deviation(log_p, reward), unknown, temperature)


class MiniLLM(Objective):
    """Reward-to-go along rollouts. Not a default objective, as student and teachers must score all rollouts."""

    name: Literal["minillm"] = "minillm"
    gamma: float = Field(default=1.0, ge=0, le=1, description="discount of later tokens; TRL's is 0")
    length_normalization: bool = Field(default=False, description="divide by the remaining length; TRL's is true")
    needs = frozenset({"rewards"})
    order = 8
    title = "MiniLLM (γ)"
    meaning = (
        "The policy gradient with reward log P teacher − log P student, summed over the rest of the response; each "
        "token counts γ times as much as the one before."
    )
    formula = (
        r"\begin{gathered} P_\theta^j (f_j - \bar f) \\ f_k = \operatorname{mean} \sum_{t' \ge t} \gamma^{t'-t} "
        r"(\log P_{te} - \log P_\theta) \end{gathered}"
    )

    @property
    def parameters(self) -> str:
        """The label suffix with discount and normalization."""
        return f"_{self.gamma:g}" + ("_normalized" if self.length_normalization else "")

    def rewards_to_go(self, rewards: Float[np.ndarray, "*B R T"], inside: Bool[np.ndarray, "*#B R T"]) -> RewardToGo:
        """Compute the discounted rewards from each token onwards."""
        return split_rewards(rewards, inside, self.gamma, self.length_normalization)

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """See `minillm`."""
        if taken.to_go is None:
            raise self.missing("rewards-to-go")
        return minillm(log_p, log_q, taken.to_go.first, taken.to_go.later, self.temperature)

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """Compute the policy-gradient surrogate: minus the expected reward, with rewards as constants."""
        if taken.to_go is None:
            raise self.missing("rewards-to-go")
        fixed, theirs, _ = known_both(log_p if at is None else at, log_q, self.temperature)
        log_p, _, _ = known_both(log_p, log_q, self.temperature)
        first, later = (fill_with_mean(fixed, values) for values in (taken.to_go.first, taken.to_go.later))
        return -float((np.exp(log_p) * (first * -log_ratio(fixed, theirs) + later)).sum())

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Return P_j (f_j - mean f): f of tokens that were not taken is linear in l, and the mean of l is the KL."""
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
