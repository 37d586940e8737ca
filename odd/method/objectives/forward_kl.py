"""Forward KL, KL(teacher || student): TRL's beta = 0."""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Integer

from odd.method.logspace import known_both
from odd.method.objectives.base import NOT_KNOWN, Gradient, LogProbs, Objective, Rollouts, Taken, finished
from odd.method.sparse_rows import SparseRow


def forward_kl(log_p: LogProbs, log_q: LogProbs, temperature: float = 1.0) -> Gradient:
    """Compute the ascent direction of -KL(teacher || student): P_te^j - P_theta^j."""
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    return finished(np.exp(log_q) - np.exp(log_p), unknown, temperature)


class ForwardKL(Objective):
    """KL(teacher || student)."""

    name: Literal["forward_kl"] = "forward_kl"
    default = True
    order = 2
    meaning = "Minimises KL(teacher ‖ student)."
    formula = r"P_{te}^j - P_\theta^j"

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """See `forward_kl`."""
        return forward_kl(log_p, log_q, self.temperature)

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """KL(teacher || student)."""
        log_p, log_q, _ = known_both(log_p, log_q, self.temperature)
        q = np.exp(log_q)
        with np.errstate(invalid="ignore"):
            return float(np.where(q > 0, q * (log_q - log_p), 0.0).sum())

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Return P_te^j - P_theta^j, which needs no sums."""
        log_p, log_q = row.at(support)
        return np.exp(log_q) - np.exp(log_p)
