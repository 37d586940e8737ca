"""The tree of one question with the success of its edges under every pooling rule (method §5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from odd.config import AnalysisConfig
from odd.objectives import Pooling
from odd.rollouts import Rollout, derived_seed
from odd.success import Counts, edge_counts, jeffreys, launch_edges, stratified, stratified_draws
from odd.tree import Tree, build_tree


@dataclass(frozen=True, eq=False)
class Success:
    """P̂ of every edge under one pooling rule, and what its draws are made from."""

    counts: Counts
    rest: Counts
    mean: np.ndarray
    backed_up: dict[int, np.ndarray] | None = None


@dataclass(eq=False)
class QuestionTree:
    """The tree of one question with the success of its edges.

    Args:
        question: id of the question; part of every seed.
        rollouts: all rollouts, initial ones first.
        path_rollouts: indices of the representative paths.
        path_log_probs: student log-probabilities along each path, float32 (T, V).
        config: analysis settings.
    """

    question: str
    rollouts: Sequence[Rollout]
    path_rollouts: Sequence[int]
    path_log_probs: Sequence[np.ndarray]
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
                log_p[children] = self.path_log_probs[path][position, self.tree.token[children]]
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
        return {
            "on_policy": Success(on_policy, natural, on_policy.mean),
            "pooled": Success(pooled, pooled, pooled.mean),
            "stratified": Success(
                on_policy,
                natural,
                stratified(self.tree, on_policy, launched, probability),
                stratified_draws(self.tree, on_policy, launched, probability, draws, rng),
            ),
        }

    def node_rows(self) -> pd.DataFrame:
        """One row a node that is visited twice or hangs on a path: counts by pooling rule and intervals."""
        on_policy, pooled = self.success["on_policy"].counts, self.success["pooled"].counts
        natural = self.success["on_policy"].rest
        low, high = jeffreys(on_policy.successes, on_policy.visits)
        strata = self.success["stratified"]
        strata_low, strata_high = low.copy(), high.copy()
        for node, sample in (strata.backed_up or {}).items():
            strata_low[node], strata_high[node] = np.quantile(sample, (0.025, 0.975))
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
                "stratified": strata.mean,
                "stratified_low": strata_low,
                "stratified_high": strata_high,
            }
        )
        on_path = np.isin(self.tree.parent, list(self.places))
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

    def dense(self, node: int, counts: Counts, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Visits and successes of every token at a node, float64 (V,) each."""
        children = np.asarray(self.tree.children(node), dtype=np.int64)
        visits, successes = np.zeros((2, size))
        visits[self.tree.token[children]] = counts.visits[children]
        successes[self.tree.token[children]] = counts.successes[children]
        return visits, successes
