"""Dr. GRPO: reinforcement learning from outcomes, without a teacher."""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Integer, Real

from odd.method.logspace import soften
from odd.method.objectives.base import NOT_KNOWN, Gradient, LogProbs, Objective, Rollouts, Taken
from odd.method.sparse_rows import SparseRow


def dr_grpo(
    visits: Real[np.ndarray, "*#B V"], successes: Real[np.ndarray, "*#B V"], temperature: float = 1.0
) -> Float64[np.ndarray, "*#B V"]:
    """Compute Dr. GRPO's gradient at a node (eq. 2.4): mean over visiting rollouts of A_i (delta_rj - P_theta^j).

    A_i = (R_i - mean R) / std(R) with the population standard deviation, so the A_i sum to 0, the P_theta terms
    cancel, and (N_j / N)(P̂_j - mean R) / std(R) remains. No teacher is involved: this is a sanity check, and its cosine
    with the ideal gradient tends to 1 as visits grow.

    Args:
        visits: how often the student sampled each token at the node.
        successes: how many of these rollouts ended correct.
        temperature: temperature of the student inside the loss.

    Returns:
        The gradient; 0 where all rollouts have the same outcome, NaN without visits.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        total = visits.sum(axis=-1, keepdims=True)
        mean = successes.sum(axis=-1, keepdims=True) / total
        std = np.sqrt(mean * (1 - mean))
        gradient = (successes - visits * mean) / (total * std * temperature)
    return np.where(std == 0, 0.0, gradient)


class DrGRPO(Objective):
    """Policy gradient with advantages from outcomes; the teacher is not used."""

    name: Literal["dr_grpo"] = "dr_grpo"
    needs = frozenset({"visits", "successes"})
    has_teacher = False
    default = True
    order = 5
    title = "Dr. GRPO"
    meaning = (
        "The policy gradient of the rewards themselves, without a teacher: a sanity check, as its cosine tends to 1."
    )
    formula = (
        r"\begin{gathered} \operatorname{mean}_i\, A_i (\delta_{rj} - P_\theta^j) \\ "
        r"A_i = \frac{R_i - \bar R}{\operatorname{std} R} \end{gathered}"
    )

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """See `dr_grpo`."""
        if taken.visits is None or taken.successes is None:
            raise self.missing("visits and successes")
        shape = np.broadcast_shapes(log_p.shape, log_q.shape)
        return np.broadcast_to(dr_grpo(taken.visits, taken.successes, self.temperature), shape)

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """Compute the policy-gradient surrogate: minus the mean of advantage times log P_theta of the token taken."""
        if taken.visits is None or taken.successes is None:
            raise self.missing("visits and successes")
        mean = taken.successes.sum() / taken.visits.sum()
        std = np.sqrt(mean * (1 - mean))
        advantages = (taken.successes - taken.visits * mean) / (taken.visits.sum() * std) if std > 0 else 0.0
        counted = np.where(taken.visits > 0, advantages, 0.0)
        softened = soften(log_p, self.temperature)
        return -float(np.where(counted == 0, 0.0, counted * softened).sum())

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Compute the gradient with the visits and successes of the other tokens summed."""
        if rollouts is None:
            raise self.missing("visits and successes")
        gradient = dr_grpo(*rollouts.reduced(support, "bucket"))[:-1]
        return np.broadcast_to(gradient, (len(row.log_q), len(support)))
