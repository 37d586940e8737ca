"""TRL's generalized Jensen-Shannon divergence."""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Integer
from pydantic import Field

from odd.method.logspace import known_both, weighted_deviation
from odd.method.objectives.base import NOT_KNOWN, Gradient, LogProbs, Objective, Rollouts, Taken, finished
from odd.method.sparse_rows import Part, SparseRow, log_over_mixture


def jsd(log_p: LogProbs, log_q: LogProbs, beta: float = 0.5, temperature: float = 1.0) -> Gradient:
    """Compute the ascent direction of minus the divergence.

    The loss is beta KL(teacher || M) + (1 - beta) KL(student || M) with M = beta P_te + (1 - beta) P_theta, so
    f = -(1 - beta) log(P_theta / M).

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities.
        beta: 0 < beta < 1; the gradient vanishes at both ends; divided by beta (1 - beta) it tends to `forward_kl` at 0
            and to `reverse_kl` at 1.
        temperature: loss temperature.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    p = np.exp(log_p)
    mixture = beta * np.exp(log_q) + (1 - beta) * p
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.where(p > 0, (1 - beta) * (np.log(mixture) - log_p), 0.0)
    return finished(weighted_deviation(log_p, f), unknown, temperature)


class JSD(Objective):
    """beta KL(teacher || M) + (1 - beta) KL(student || M), M = beta P_te + (1 - beta) P_theta."""

    name: Literal["jsd"] = "jsd"
    beta: float = Field(default=0.5, gt=0, lt=1, description="TRL's beta")
    default = True
    order = 3
    title = "JSD (β)"
    meaning = "Minimises the generalised Jensen–Shannon divergence to the mixture M of both."
    formula = (
        r"\begin{gathered} P_\theta^j (f_j - \bar f), \quad f = -(1-\beta) \log\frac{P_\theta}{M} \\ "
        r"M = \beta P_{te} + (1-\beta) P_\theta \end{gathered}"
    )

    @property
    def parameters(self) -> str:
        """The label suffix with beta."""
        return f"_{self.beta:g}"

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """See `jsd`."""
        return jsd(log_p, log_q, self.beta, self.temperature)

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """The divergence."""
        log_p, log_q, _ = known_both(log_p, log_q, self.temperature)
        p, q = np.exp(log_p), np.exp(log_q)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_m = np.log(self.beta * q + (1 - self.beta) * p)
            both = self.beta * np.where(q > 0, q * (log_q - log_m), 0.0)
            both = both + (1 - self.beta) * np.where(p > 0, p * (log_p - log_m), 0.0)
        return float(both.sum())

    def partial_sum(self, part: Part) -> Float64[np.ndarray, " M"] | None:
        """Return KL(student || M) over a slice of the vocabulary; for beta = 0.5 every row already has it."""
        if self.beta == 0.5:
            return None
        return np.vecdot(part.p, log_over_mixture(part.log_p, part.p, part.q, self.beta))

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Return (1 - beta) P_j (log(M_j / P_theta^j) + KL(student || M))."""
        log_p, log_q = row.at(support)
        mixture = np.log(self.beta * np.exp(log_q) + (1 - self.beta) * np.exp(log_p))
        mean = row.kl_student_mixture if self.beta == 0.5 else row.extra[self]
        return (1 - self.beta) * np.exp(log_p) * (mixture - log_p + mean[:, None])
