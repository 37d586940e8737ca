"""Where targeted rollouts go: the same to every edge, or where they tell most (method §5)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.estimators import Knowledge
from odd.gradients import ideal_gradient

INITIAL = 200
FLOOR = 8
"""Visits that every edge is brought to before anything else."""
BATCH = 32
SETTLED = 1.96

Weight = Literal["gain", "cosine"]


def uniform(known: Knowledge, visits: int, reuse: bool = True) -> None:
    """Bring every edge to a number of visits; initial rollouts count unless they are not used again."""
    before = known.tallies("on_policy")[1] if reuse else np.zeros(len(known.used))
    for edge in range(1, len(known.used)):
        known.draw(edge, max(0, visits - int(before[edge])))


@dataclass(frozen=True)
class Adaptive:
    """Rollouts in batches to the edges where the variance of the ideal gradients falls most for a token.

    Attributes:
        weight: of a node: all alike for `gain`; for `cosine` what makes its gradient of length 1.
        backed_up: whether success is backed up, so that an edge also counts for those above it.
        leave_settled: whether nodes are left where the sign is settled for all teachers.
    """

    weight: Weight
    backed_up: bool = True
    leave_settled: bool = False

    def spend(self, known: Knowledge, tokens: int) -> None:
        """Draw until a number of tokens is spent."""
        uniform(known, FLOOR)
        while known.tokens < tokens:
            worth, visits = self.worth(known)
            extra = np.zeros(len(worth), int)
            for _ in range(BATCH):
                extra[np.argmax(worth / ((visits + extra) * (visits + extra + 1)))] += 1
            if not worth.any():
                return
            for edge in np.flatnonzero(extra).tolist():
                known.draw(edge, int(extra[edge]))

    def worth(self, known: Knowledge) -> tuple[np.ndarray, np.ndarray]:
        """By how much the weighted variance falls with 1 / visits, for a token; and the visits; (E,) each."""
        successes, visits = known.tallies("on_policy")
        smooth = (successes + 1) / (visits + 2)
        spread = smooth * (1 - smooth)
        estimate = known.estimate("stratified" if self.backed_up else "on_policy", draws=1).mean
        importance = self._importance(known, estimate, spread / np.maximum(visits, 1))
        if self.backed_up:
            for edge in sorted(known.shape.next):  # shallow ones first: what they are worth goes down
                children = known.shape.next[edge]
                p = known.bank.p[children]
                importance[children] += importance[edge] * p**2
                importance[edge] *= max(0.0, 1 - p.sum()) ** 2
        cost = np.where(known.used > 0, known.spent / np.maximum(known.used, 1), known.spent[0] / INITIAL)
        worth = importance * spread / np.maximum(cost, 1.0)
        worth[0] = 0.0
        worth[known.used + BATCH > known.order.shape[1]] = 0.0
        return worth, np.maximum(visits, 1)

    def _importance(self, known: Knowledge, estimate: np.ndarray, variance: np.ndarray) -> np.ndarray:
        importance = np.zeros(len(estimate))
        for children in known.shape.nodes:
            p = known.bank.p[children]
            noise = float((p**2 * variance[children]).sum())
            gradient = ideal_gradient(p, estimate[children])
            if self.leave_settled and _settled(known, children, gradient, variance):
                continue
            scale = 1.0 if self.weight == "gain" else 1 / (float(gradient @ gradient) + noise + 1e-12)
            importance[children] += p**2 * scale
        return importance


def _settled(known: Knowledge, children: np.ndarray, gradient: np.ndarray, variance: np.ndarray) -> bool:
    """Whether the sign of the alignment with every teacher is sure, by the normal approximation."""
    p, teachers = known.bank.p[children], known.bank.teachers[:, children]
    slope = p * (teachers - (teachers @ p / p.sum())[:, None])
    deviation = np.sqrt((slope**2 * variance[children]).sum(axis=1))
    return bool((np.abs(teachers @ gradient) > SETTLED * deviation).all())
