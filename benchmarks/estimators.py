"""Estimates at a question's edges from the rollouts drawn so far, taken in random order from a ground truth.

Method §5. `pooled` follows the paper's text; `on_policy` counts a rollout from its launch edge down; `stratified` backs
up the children's success: rollouts launched further down are fixed-effort splitting (Garvels, The splitting method
in rare event simulation, 2000), and weighting them by P_theta instead of by how often the student took each child is
post-stratification, a Rao-Blackwellised backup. Edges are those of `benchmarks.ground_truth.Bank`, edge 0 is the root.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.ground_truth import Bank
from odd.method.sibling_prior import SiblingPrior, equivalent_counts, fit_sibling_prior

Rule = Literal["pooled", "on_policy", "stratified"]
Prior = Literal["jeffreys", "uniform", "siblings"]
POSTERIOR_DRAWS = 400
WEIGHT: dict[Prior, float] = {"jeffreys": 0.5, "uniform": 1.0}
"""Pseudo-counts that a prior adds to the successes and failures of each edge."""


@dataclass(frozen=True)
class Estimator:
    """How to compute P̂ and its uncertainty from counts.

    Attributes:
        rule: which rollouts count.
        prior: prior of the posterior; `siblings` is that of `odd.method.sibling_prior`.
        shrunk: whether P̂ is the posterior mean instead of successes / visits.
        closed: whether an interval extends to 0 without a success and to 1 without a failure (Brown, Cai & DasGupta,
            Statistical Science 16, 2001).
        initial: whether initial rollouts count.
    """

    rule: Rule = "on_policy"
    prior: Prior = "jeffreys"
    shrunk: bool = False
    closed: bool = True
    initial: bool = True


@dataclass(frozen=True, eq=False)
class Estimate:
    """P̂ of every edge and its 95% interval, (E,) each, and posterior draws, (D, E)."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    draws: np.ndarray


class Shape:
    """The topology of a question's edges."""

    def __init__(self, bank: Bank) -> None:
        """Compute which edges are above which, and which edges lead to a node that other edges leave."""
        count = len(bank.p)
        self.above = np.eye(count, dtype=bool)  # [x, y]: x is y or is below it
        for edge in range(1, count):
            self.above[edge] |= self.above[bank.parent[edge]]
        self.nodes = [np.flatnonzero(bank.node == node) for node in range(int(bank.node.max()) + 1)]
        self.next: dict[int, np.ndarray] = {}
        for children in self.nodes:
            parent = int(bank.parent[children[0]])
            if bank.length[children[0]] == bank.length[parent] + 1:
                self.next[parent] = children


class Knowledge:
    """The rollouts drawn so far."""

    def __init__(self, bank: Bank, shape: Shape, rng: np.random.Generator, common: bool = False) -> None:
        """Start without rollouts; with `common`, siblings take rollouts drawn with the same uniform numbers."""
        self.bank, self.shape, self.rng = bank, shape, rng
        edges, rollouts = bank.correct.shape
        groups = bank.node + 1 if common else np.arange(edges)
        orders = {group: rng.permutation(rollouts) for group in np.unique(groups).tolist()}
        self.order = np.stack([orders[group] for group in groups.tolist()])
        self.used = np.zeros(edges, int)
        self.counts = np.zeros((2, edges, edges))  # incorrect and correct, by launch and deepest edge
        self.spent = np.zeros(edges, int)

    def draw(self, edge: int, count: int) -> None:
        """Take more rollouts from an edge."""
        taken = self.order[edge, self.used[edge] : self.used[edge] + count]
        if len(taken) < count:
            raise ValueError(f"the ground truth has only {self.order.shape[1]} rollouts per edge: generate more")
        self.used[edge] += count
        right = self.bank.correct[edge, taken].astype(int)
        np.add.at(self.counts, (right, edge, self.bank.deepest[edge, taken]), 1)
        self.spent[edge] += int(self.bank.tokens[edge, taken].sum())

    @property
    def tokens(self) -> int:
        """Tokens of targeted rollouts."""
        return int(self.spent[1:].sum())

    def passed(self) -> np.ndarray:
        """Incorrect and correct rollouts that count for an edge, by launch edge, (2, launch, edge)."""
        return (self.counts @ self.shape.above) * self.shape.above.T

    def tallies(self, rule: Rule, initial: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Successes and visits of every edge, (E,) each; without `initial`, of targeted rollouts only."""
        first = 0 if initial else 1
        if rule == "pooled":
            counted = self.counts[:, first:].sum(axis=1) @ self.shape.above
        else:
            counted = self.passed()[:, first:].sum(axis=1)
        return counted[1], counted.sum(axis=0)

    def others(self) -> dict[int, tuple[float, float]]:
        """Successes and visits of the rollouts that left an edge's node by a child that is not an edge."""
        passed = self.passed()
        found = {}
        for edge, children in self.shape.next.items():
            above = self.shape.above[edge]
            left = passed[:, above, edge].sum(axis=1) - passed[:, above][:, :, children].sum(axis=(1, 2))
            found[edge] = float(left[1]), float(left.sum())
        return found

    def means(self, rule: Rule, initial: bool = True) -> np.ndarray:
        """P̂ under a rule, (E,); 1/2 without rollouts."""
        return self._backed_up(rule, initial, 0.5, 1)[0]

    def estimate(self, estimator: Estimator, draws: int = POSTERIOR_DRAWS) -> Estimate:
        """Return P̂, its interval and its posterior."""
        successes, visits = self.tallies(estimator.rule, estimator.initial)
        weight = WEIGHT.get(estimator.prior, 0.5)
        mean, sample = self._backed_up(estimator.rule, estimator.initial, weight, draws)
        if estimator.prior == "siblings":
            if estimator.rule == "stratified":
                backed_up = {edge: sample[:, edge] for edge in self.shape.next}
                successes, visits = equivalent_counts(successes, visits, mean, backed_up)
            shrunk, sample[:, 1:] = self._shared(successes, visits, draws)
            mean = shrunk if estimator.shrunk else mean
        low, high = np.quantile(sample, (0.025, 0.975), axis=0)
        if estimator.closed:
            low, high = np.where(successes == 0, 0.0, low), np.where(successes == visits, 1.0, high)
        return Estimate(mean, low, high, sample)

    def prior(self, successes: np.ndarray, visits: np.ndarray) -> SiblingPrior:
        """The sibling prior, fitted to the counts."""
        return fit_sibling_prior(successes[1:], visits[1:], self.bank.node[1:])

    def _shared(self, successes: np.ndarray, visits: np.ndarray, draws: int) -> tuple[np.ndarray, np.ndarray]:
        """Posterior means, (E,), and draws of all edges but the root, (D, E - 1), under the sibling prior."""
        prior = self.prior(successes, visits)
        mean, sample = np.full(len(visits), 0.5), np.full((draws, len(visits)), 0.5)
        for children in self.shape.nodes:
            won, seen = successes[children], visits[children]
            mean[children] = np.nan_to_num(prior.mean(won, seen), nan=0.5)
            sample[:, children] = np.nan_to_num(prior.draws(won, seen, draws, self.rng), nan=0.5)
        return mean, sample[:, 1:]

    def _backed_up(self, rule: Rule, initial: bool, weight: float, draws: int) -> tuple[np.ndarray, np.ndarray]:
        """P̂ under a rule, (E,), and draws of independent posteriors, (D, E)."""
        successes, visits = self.tallies(rule, initial)
        mean = np.where(visits > 0, successes / np.maximum(visits, 1), 0.5)
        sample = self.rng.beta(successes + weight, visits - successes + weight, size=(draws, len(mean)))
        if rule == "stratified":
            for edge, (won, seen) in sorted(self.others().items(), reverse=True):
                children = self.shape.next[edge]
                p = self.bank.p[children]
                remaining = max(0.0, 1 - p.sum())
                if not seen and remaining > 1e-6:
                    continue
                rest = self.rng.beta(won + weight, seen - won + weight, size=draws) if seen else np.zeros(draws)
                mean[edge] = mean[children] @ p + (remaining * won / seen if seen else 0.0)
                sample[:, edge] = sample[:, children] @ p + remaining * rest
        return mean, sample
