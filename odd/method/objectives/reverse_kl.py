"""Reverse KL, KL(student || teacher): the paper's "GKD", TRL's beta = 1."""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Integer

from odd.method.logspace import known_both, log_ratio, weighted_deviation
from odd.method.objectives.base import NOT_KNOWN, Gradient, LogProbs, Objective, Rollouts, Taken, finished
from odd.method.sparse_rows import SparseRow


def reverse_kl(log_p: LogProbs, log_q: LogProbs, temperature: float = 1.0) -> Gradient:
    """Compute the ascent direction of -KL(student || teacher): -P_j (l_j - mean l) (eq. 2.6-2.8).

    l = log P_theta - log P_te. The paper calls this *forward* KL; the field, and TRL with beta = 1, call it reverse.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    return finished(weighted_deviation(log_p, -log_ratio(log_p, log_q)), unknown, temperature)


class ReverseKL(Objective):
    """KL(student || teacher)."""

    name: Literal["reverse_kl"] = "reverse_kl"
    default = True
    order = 1
    meaning = "Minimises KL(student ‖ teacher); the paper calls it forward."
    formula = r"-P_\theta^j (\ell_j - \bar\ell), \quad \bar\ell = \sum_k P_\theta^k \ell_k"

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """See `reverse_kl`."""
        return reverse_kl(log_p, log_q, self.temperature)

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """KL(student || teacher)."""
        log_p, log_q, _ = known_both(log_p, log_q, self.temperature)
        return float((np.exp(log_p) * log_ratio(log_p, log_q)).sum())

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Return -P_j (l_j - KL): the mean of l is the divergence."""
        log_p, log_q = row.at(support)
        return -np.exp(log_p) * (log_p - log_q - row.kl_student_teacher[:, None])
