"""Allocation of targeted rollouts: uniformly over edges, or where they are most informative (method §5)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.estimators import Knowledge, Rule
from odd.method.allocation import in_steps
from odd.method.gradients import ideal_gradient

INITIAL = 200
FLOOR = 8
"""Visits that every edge is brought to first."""
SETTLED = 1.96
SIGN_DRAWS = 200
OPEN = 0.025, 0.975
"""A sign is open while the probability that it is positive is between these."""

Weight = Literal["gain", "cosine", "sign", "top_two"]


def uniform(known: Knowledge, visits: int, reuse: bool = True) -> None:
    """Bring every edge to a number of visits; initial rollouts count if `reuse` is set."""
    before = known.passed()[:, 0].sum(axis=0) if reuse else np.zeros(len(known.used))
    for edge in range(1, len(known.used)):
        known.draw(edge, max(0, visits - int(before[edge]) - int(known.used[edge])))


@dataclass(frozen=True)
class Adaptive:
    """Allocate batches of rollouts to the edges that reduce the variance of the ideal gradients most per token.

    With `gain` this is Neyman's allocation in its cost-optimal form (J. Royal Stat. Soc. 97, 1934), in steps.
    The weight of a node differs:

    * `gain`: equal for all nodes;
    * `cosine`: one over the squared length of its gradient;
    * `sign`: by how far each teacher's product with the ideal gradient is from 0, relative to its noise: the optimal
      computing budget allocation (Chen et al., Discrete Event Dynamic Systems 10, 2000) against a fixed threshold
      (Szechtman & Yücesan, Winter Simulation Conference 2008);
    * `top_two`: only nodes where two posterior draws disagree about a sign count, as in top-two sampling (Russo,
      Operations Research 68, 2020), which chooses nodes here, never children.

    Attributes:
        weight: weight of a node.
        rule: pooling rule of the success estimates; with `stratified` an edge also counts for its ancestors.
        leave: which nodes to skip: none, or those whose signs are settled by the normal approximation or by the
            posterior under the sibling prior.
        batch: rollouts allocated at a time.
    """

    weight: Weight
    rule: Rule = "stratified"
    leave: Literal["none", "normal", "posterior"] = "none"
    batch: int = 32

    def spend(self, known: Knowledge, tokens: int) -> None:
        """Draw until a number of tokens is spent, or no edge is worth more rollouts."""
        uniform(known, FLOOR)
        while known.tokens < tokens:
            worth, visits = self.worth(known)
            if not worth.any():
                return
            extra = in_steps(worth, visits, self.batch)
            for edge in np.flatnonzero(extra).tolist():
                known.draw(edge, int(extra[edge]))

    def worth(self, known: Knowledge) -> tuple[np.ndarray, np.ndarray]:
        """Decrease of the weighted variance with 1 / visits, per token, and the visits; (E,) each."""
        successes, visits = known.tallies("on_policy")
        smooth = (successes + 1) / (visits + 2)
        spread = smooth * (1 - smooth)
        importance = self._importance(known, known.means(self.rule), spread / np.maximum(visits, 1))
        if self.rule == "stratified":
            for edge in sorted(known.shape.next):  # shallow edges first: their worth is passed down
                children = known.shape.next[edge]
                p = known.bank.p[children]
                importance[children] += importance[edge] * p**2
                importance[edge] *= max(0.0, 1 - p.sum()) ** 2
        cost = np.where(known.used > 0, known.spent / np.maximum(known.used, 1), known.spent[0] / INITIAL)
        worth = importance * spread / np.maximum(cost, 1.0)
        worth[0] = 0.0
        worth[known.used + self.batch > known.order.shape[1]] = 0.0
        return worth, np.maximum(visits, 1)

    def _importance(self, known: Knowledge, estimate: np.ndarray, variance: np.ndarray) -> np.ndarray:
        importance = np.zeros(len(estimate))
        left = self._left(known)
        for children in known.shape.nodes:
            p = known.bank.p[children]
            noise = float((p**2 * variance[children]).sum())
            gradient = ideal_gradient(p, estimate[children])
            slope, product, deviation = _products(known, children, gradient, variance)
            if left(children, product, deviation):
                continue
            if self.weight == "sign":
                importance[children] += (slope**2 / (product**2 + deviation**2 + 1e-12)[:, None]).sum(axis=0)
            elif self.weight == "top_two":
                draws = known.rng.normal(product, deviation, size=(2, len(product)))
                # settled nodes keep a small weight, so that there is always an edge to choose
                doubted = bool((draws[0] * draws[1] <= 0).any())
                importance[children] += p**2 * (1.0 if doubted else 1e-6)
            else:
                scale = 1.0 if self.weight == "gain" else 1 / (float(gradient @ gradient) + noise + 1e-12)
                importance[children] += p**2 * scale
        return importance

    def _left(self, known: Knowledge) -> Callable[[np.ndarray, np.ndarray, np.ndarray], bool]:
        """Return a function that tells whether a node is settled and can be skipped."""
        if self.leave == "none":
            return lambda children, product, deviation: False
        if self.leave == "normal":
            return lambda children, product, deviation: bool((np.abs(product) > SETTLED * deviation).all())
        successes, visits = known.tallies("on_policy")
        prior = known.prior(successes, visits)

        def left(children: np.ndarray, product: np.ndarray, deviation: np.ndarray) -> bool:
            sample = prior.draws(successes[children], visits[children], SIGN_DRAWS, known.rng)
            ideal = ideal_gradient(known.bank.p[children], np.nan_to_num(sample, nan=0.5))
            positive = (ideal @ known.bank.teachers[:, children].T > 0).mean(axis=0)
            return bool(((positive < OPEN[0]) | (positive > OPEN[1])).all())

        return left


def _products(
    known: Knowledge, children: np.ndarray, gradient: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per teacher: derivative in P̂ of its product with the ideal gradient, the product, and its standard error."""
    p, teachers = known.bank.p[children], known.bank.teachers[:, children]
    slope = p * (teachers - (teachers @ p / p.sum())[:, None])
    return slope, teachers @ gradient, np.sqrt((slope**2 * variance[children]).sum(axis=1))
