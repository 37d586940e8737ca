"""The tree of one question with the success of its edges under every pooling rule (method §5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from odd.analysis.path_rows import PathRows
from odd.config import AnalysisConfig
from odd.method.conventions import Pooling
from odd.method.sibling_prior import SiblingPrior, equivalent_counts, fit_sibling_prior
from odd.method.success import Counts, edge_counts, edge_draws, jeffreys, launch_edges, stratified, stratified_draws
from odd.method.tree import Tree, build_tree
from odd.rollouts.sampling import Rollout, derived_seed


@dataclass(frozen=True, eq=False)
class Success:
    """P̂ of every edge under one pooling rule, and what its draws are made from.

    Attributes:
        counts: rollouts that count.
        rest: what P̂ of the rest of a node is taken from.
        mean: P̂, (N,).
        backed_up: draws of the edges whose success is backed up, by Jeffreys' prior.
        prior: that siblings share; None: Jeffreys', edge by edge.
        evidence: successes and visits that the prior is weighed against, (N,) each: the counts, or for backed-up
            edges what they are worth in counts.
    """

    counts: Counts
    rest: Counts
    mean: np.ndarray
    backed_up: dict[int, np.ndarray] | None = None
    prior: SiblingPrior | None = None
    evidence: tuple[np.ndarray, np.ndarray] | None = None

    def draws(
        self, nodes: np.ndarray, rest: Counts, draws: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Posterior draws of P̂ of siblings, (D, K), and of what else their node leads to, (D, 1).

        Args:
            nodes: the siblings, (K,).
            rest: of all other children together, one entry.
            draws: D.
            rng: source of randomness.
        """
        if self.prior is None or self.evidence is None:
            return edge_draws(nodes, self.counts, draws, rng, self.backed_up), edge_draws([0], rest, draws, rng)
        successes, visits = (
            np.append(part[nodes], other)
            for part, other in zip(self.evidence, (rest.successes, rest.visits), strict=True)
        )
        sample = self.prior.draws(successes, visits, draws, rng)
        return sample[:, :-1], sample[:, -1:]


@dataclass(eq=False)
class QuestionTree:
    """The tree of one question with the success of its edges.

    Args:
        question: id of the question; part of every seed.
        rollouts: all rollouts, initial ones first.
        path_rollouts: indices of the representative paths.
        rows: distributions along each path, which keep the children that rollouts took.
        config: analysis settings.
    """

    question: str
    rollouts: Sequence[Rollout]
    path_rollouts: Sequence[int]
    rows: PathRows
    config: AnalysisConfig
    tree: Tree = field(init=False)
    places: dict[int, tuple[int, int]] = field(init=False)
    success: dict[Pooling, Success] = field(init=False)

    def __post_init__(self) -> None:
        """Build the tree, count, and back up."""
        self.tree = build_tree([rollout.token_ids for rollout in self.rollouts])
        self.places = {}
        for path, rollout in enumerate(self.path_rollouts):
            for position in range(len(self.rollouts[rollout].token_ids)):
                self.places.setdefault(int(self.tree.rollout_nodes[rollout, position]), (path, position))
        self.log_p = self._edge_log_p()
        self.success = self._success()

    def _edge_log_p(self) -> np.ndarray:
        """Student log-probability of each edge that leaves a path node, NaN elsewhere; float64 (N,)."""
        log_p = np.full(self.tree.size, np.nan)
        for node, (path, position) in self.places.items():
            children = np.asarray(self.tree.children(node))
            if len(children):
                row = self.rows.at(path, position)[1.0]
                log_p[children] = row.log_p[row.index(self.tree.token[children])]
        return log_p

    def _success(self) -> dict[Pooling, Success]:
        forced = np.array([rollout.launch for rollout in self.rollouts])
        correct = np.array([rollout.correct for rollout in self.rollouts])
        on_policy = edge_counts(self.tree, forced, correct, "on_policy")
        pooled = edge_counts(self.tree, forced, correct, "pooled")
        natural = edge_counts(self.tree, forced, correct, "natural")
        launched, probability = launch_edges(self.tree, forced), np.exp(self.log_p)
        rng = np.random.default_rng([self.config.seed, derived_seed(self.question, "stratified")])
        draws = self.config.posterior_draws
        strata = stratified(self.tree, on_policy, launched, probability)
        backed_up = stratified_draws(self.tree, on_policy, launched, probability, draws, rng)
        counted = on_policy.successes, on_policy.visits
        return {
            "on_policy": Success(on_policy, natural, on_policy.mean, None, *self._shared(*counted)),
            # the paper's counts are biased: no prior makes their intervals honest, and they stay as they are
            "pooled": Success(pooled, pooled, pooled.mean),
            "stratified": Success(
                on_policy, natural, strata, backed_up, *self._shared(*equivalent_counts(*counted, strata, backed_up))
            ),
        }

    def _shared(
        self, successes: np.ndarray, visits: np.ndarray
    ) -> tuple[SiblingPrior | None, tuple[np.ndarray, np.ndarray] | None]:
        """The prior that siblings share, from all edges that leave path nodes, and what it is weighed against."""
        if self.config.prior == "jeffreys":
            return None, None
        edges = self.path_edges()
        return fit_sibling_prior(successes[edges], visits[edges], self.tree.parent[edges]), (successes, visits)

    def path_edges(self) -> np.ndarray:
        """The edges that leave path nodes."""
        return np.flatnonzero(np.isin(self.tree.parent, list(self.places)))

    def _intervals(self, pooling: Pooling) -> tuple[np.ndarray, np.ndarray]:
        """95 % intervals of P̂, (N,) each; off the paths nothing is shared, and they are Jeffreys'."""
        success = self.success[pooling]
        low, high = jeffreys(success.counts.successes, success.counts.visits)
        if success.prior is None or success.evidence is None:
            for node, sample in (success.backed_up or {}).items():
                low[node], high[node] = np.quantile(sample, (0.025, 0.975))
            return low, high
        for parent in self.places:
            children = np.asarray(self.tree.children(parent), dtype=np.int64)
            children = children[success.counts.visits[children] > 0]
            if not len(children):
                continue
            rng = np.random.default_rng([self.config.seed, derived_seed(self.question, pooling, "interval", parent)])
            won, seen = (part[children] for part in success.evidence)
            low[children], high[children] = success.prior.intervals(won, seen, self.config.posterior_draws, rng)
        return low, high

    def node_rows(self) -> pd.DataFrame:
        """One row a node that is visited twice or hangs on a path: counts by pooling rule and intervals."""
        on_policy, pooled = self.success["on_policy"].counts, self.success["pooled"].counts
        natural = self.success["on_policy"].rest
        low, high = self._intervals("on_policy")
        strata_low, strata_high = self._intervals("stratified")
        frame = pd.DataFrame(
            {
                "node": np.arange(self.tree.size),
                "parent": self.tree.parent,
                "token": self.tree.token,
                "depth": self.tree.depth,
                "log_p": self.log_p,
                "visits": on_policy.visits,
                "successes": on_policy.successes,
                "low": low,
                "high": high,
                "pooled_visits": pooled.visits,
                "pooled_successes": pooled.successes,
                "natural_visits": natural.visits,
                "natural_successes": natural.successes,
                "stratified": self.success["stratified"].mean,
                "stratified_low": strata_low,
                "stratified_high": strata_high,
            }
        )
        on_path = np.zeros(self.tree.size, dtype=bool)
        on_path[self.path_edges()] = True
        return frame[(pooled.visits > 1) | on_path | (self.tree.parent < 0)]

    def path_token_rows(self) -> pd.DataFrame:
        """One row a position of each path: the node before the token and the child it leads to."""
        frames = []
        for path, rollout in enumerate(self.path_rollouts):
            length = len(self.rollouts[rollout].token_ids)
            nodes = self.tree.rollout_nodes[rollout, : length + 1]
            frames.append(
                pd.DataFrame(
                    {
                        "path": path,
                        "position": np.arange(length),
                        "node": nodes[:-1],
                        "child": nodes[1:],
                        "token": self.rollouts[rollout].token_ids,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
