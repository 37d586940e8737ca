"""A prior of success shared by siblings: most children succeed about as often as their node (method §5, beyond).

Given the value m of a node, the success of each child is drawn independently from a mixture of Beta distributions:
around m, from loose to tight (`CONCENTRATIONS`), and, regardless of m, near 0, near 1, or Jeffreys' (`APART`). m is
uniform. The mixture weights are the same at all nodes of a question and are estimated from them by EM: empirical Bayes
with a flexible mixture, as in adaptive shrinkage (Stephens, Biostatistics 18, 2017), with a binomial likelihood. Given
the weights, the posterior of a node is exact on a grid of m, and its draws are dependent between siblings.

Dimension letters: C children of all nodes, K children of one node, J components, G values of m.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer, Real
from scipy.special import betaln

CONCENTRATIONS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
APART = ((0.05, 5.0), (5.0, 0.05), (0.5, 0.5))
VALUES = np.arange(1, 100) / 100
FIT_CHILDREN = 4000
"""Number of children that the weights are estimated from, from the most visited nodes: more would only cost time."""
ITERATIONS = 60
PSEUDO = 0.5
"""Pseudo-count of children per component, so that no component is ever ruled out."""


def _parameters() -> tuple[np.ndarray, np.ndarray]:
    """Return the Beta parameters of each component at each m, (J, G) each."""
    around = np.array(CONCENTRATIONS)[:, None]
    apart = np.array(APART)[:, :, None] * np.ones(len(VALUES))
    return np.concatenate([around * VALUES, apart[:, 0]]), np.concatenate([around * (1 - VALUES), apart[:, 1]])


A, B = _parameters()


@dataclass(frozen=True, eq=False)
class SiblingPrior:
    """The mixture of one question.

    Attributes:
        weights: weights of the components, (J,); they sum to 1.
    """

    weights: Float64[np.ndarray, " J"]

    def mean(self, successes: Real[np.ndarray, " K"], visits: Real[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
        """Return the posterior means of the children of one node; NaN without visits."""
        value, component = self._posterior(successes, visits)
        means = (successes[:, None, None] + A) / (visits[:, None, None] + A + B)
        return np.where(visits > 0, np.einsum("kjg,g->k", component * means, value), np.nan)

    def draws(
        self,
        successes: Real[np.ndarray, " K"],
        visits: Real[np.ndarray, " K"],
        draws: int,
        rng: np.random.Generator,
    ) -> Float64[np.ndarray, "D K"]:
        """Draw from the joint posterior of the children of one node; NaN without visits.

        Args:
            successes: successes of each child; need not be integers.
            visits: visits of each child.
            draws: D, the number of draws.
            rng: source of randomness.
        """
        value, component = self._posterior(successes, visits)
        m = rng.choice(len(VALUES), size=draws, p=value)
        below = component[:, :, m].cumsum(axis=1)  # (K, J, D)
        j = (rng.random((len(visits), 1, draws)) * below[:, -1:] < below).argmax(axis=1)
        sample = rng.beta(successes[:, None] + A[j, m], (visits - successes)[:, None] + B[j, m])
        return np.where(visits > 0, sample.T, np.nan)

    def intervals(
        self,
        successes: Real[np.ndarray, " K"],
        visits: Real[np.ndarray, " K"],
        draws: int,
        rng: np.random.Generator,
    ) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, " K"]]:
        """Return 95% intervals of the children of one node, from draws; arguments as for `draws`.

        Without successes an interval starts at 0, without failures it ends at 1, as the data do not contradict either
        (Brown, Cai & DasGupta, Statistical Science 16, 2001).
        """
        low, high = np.quantile(self.draws(successes, visits, draws, rng), (0.025, 0.975), axis=0)
        return np.where(successes == 0, 0.0, low), np.where(successes == visits, 1.0, high)

    def _posterior(self, successes: np.ndarray, visits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the posterior of m, (G,), and of the component of each child given m, (K, J, G)."""
        weighted = self.weights[:, None] * likelihood(successes, visits)
        every = weighted.sum(axis=1)
        return _normalised(np.log(every).sum(axis=0)), weighted / every[:, None]


def likelihood(successes: Real[np.ndarray, " C"], visits: Real[np.ndarray, " C"]) -> Float64[np.ndarray, "C J G"]:
    """Compute each child's beta-binomial likelihood under each component and m, relative to Jeffreys' prior."""
    s, n = successes[:, None, None], visits[:, None, None]
    usual = betaln(s + 0.5, n - s + 0.5) - betaln(0.5, 0.5)
    return np.exp(betaln(s + A, n - s + B) - betaln(A, B) - usual)


def fit_sibling_prior(
    successes: Real[np.ndarray, " C"], visits: Real[np.ndarray, " C"], node: Integer[np.ndarray, " C"]
) -> SiblingPrior:
    """Estimate the weights from the children of all nodes of a question.

    Args:
        successes: successes of each child; need not be integers.
        visits: visits of each child; children without visits are ignored.
        node: node that each child belongs to.
    """
    chosen = _most_visited(visits, node)
    tables, (_, starts) = likelihood(successes[chosen], visits[chosen]), np.unique(node[chosen], return_index=True)
    weights = np.full(len(A), 1 / len(A))
    if not len(chosen):
        return SiblingPrior(weights)
    sizes = np.diff(np.append(starts, len(chosen)))
    for _ in range(ITERATIONS):
        every = np.einsum("cjg,j->cg", tables, weights)
        value = _normalised(np.add.reduceat(np.log(every), starts, axis=0))
        share = np.repeat(value, sizes, axis=0) / every
        found = PSEUDO + weights * np.einsum("cjg,cg->j", tables, share)
        weights = found / found.sum()
    return SiblingPrior(weights)


def equivalent_counts(
    successes: Real[np.ndarray, " N"],
    visits: Real[np.ndarray, " N"],
    mean: Float[np.ndarray, " N"],
    backed_up: Mapping[int, Float[np.ndarray, " D"]],
) -> tuple[Float64[np.ndarray, " N"], Float64[np.ndarray, " N"]]:
    """Replace the counts of backed-up edges with those of a Beta distribution that has the variance of their draws.

    Args:
        successes: successes of every edge.
        visits: visits of every edge; these are never reduced.
        mean: success of every edge, backed up where possible.
        backed_up: draws of the backed-up edges.
    """
    won, seen = successes.astype(np.float64), visits.astype(np.float64)
    for edge, sample in backed_up.items():
        middle, spread = float(sample.mean()), float(sample.var())
        told = middle * (1 - middle) / spread - 1 if spread > 0 else 0.0
        if told > seen[edge]:
            won[edge], seen[edge] = np.clip(mean[edge], 0.0, 1.0) * told, told
    return won, seen


def _most_visited(visits: np.ndarray, node: np.ndarray) -> np.ndarray:
    """Choose the children to estimate from: all children of the most visited nodes, grouped by node."""
    seen = np.flatnonzero(visits > 0)
    if not len(seen):
        return seen
    names, group, sizes = np.unique(node[seen], return_inverse=True, return_counts=True)
    order = np.argsort(-np.bincount(group, weights=visits[seen]), kind="stable")
    enough = max(1, int(np.searchsorted(sizes[order].cumsum(), FIT_CHILDREN, side="right")))
    kept = np.zeros(len(names), dtype=bool)
    kept[order[:enough]] = True
    seen = seen[kept[group]]
    return seen[np.argsort(node[seen], kind="stable")]


def _normalised(logs: Float[np.ndarray, "*B G"]) -> Float64[np.ndarray, "*B G"]:
    """Turn log-weights into weights that sum to 1."""
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
