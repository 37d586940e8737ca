"""Tree of one question with the success of its edges under every pooling rule (method §5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from odd.analysis.path_rows import PathRows
from odd.config import AnalysisConfig
from odd.method.pooling import EdgeSuccess, PoolingRule, Sample, pooling_rule
from odd.method.sibling_prior import SiblingPrior, equivalent_counts, fit_sibling_prior
from odd.method.success import Counts, counted_by_launch, edge_draws, node_values, random_halves
from odd.method.tree import Tree, build_tree
from odd.rollouts.sampling import Rollout, derived_seed


@dataclass(frozen=True, eq=False)
class Success(EdgeSuccess):
    """P̂ of every edge under one pooling rule, with its posterior.

    Attributes:
        rule: the pooling rule.
        posterior: posterior draws under Jeffreys' prior, for edges where these do not follow from the counts.
        prior: prior shared by siblings; None for Jeffreys' prior on each edge.
        evidence: successes and visits combined with `prior`, (N,) each: the counts, or the equivalent counts of edges
            in `posterior`.
    """

    rule: PoolingRule
    posterior: Mapping[int, np.ndarray]
    prior: SiblingPrior | None = None
    evidence: tuple[np.ndarray, np.ndarray] | None = None

    def draws(
        self, nodes: np.ndarray, rest: Counts, draws: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw P̂ of siblings, (D, K), and of the other children of their node together, (D, 1), from the posterior.

        Args:
            nodes: the siblings, (K,).
            rest: total counts of the other children, one entry.
            draws: number of draws, D.
            rng: random generator.
        """
        if self.prior is None or self.evidence is None:
            return edge_draws(nodes, self.counts, draws, rng, self.posterior), edge_draws([0], rest, draws, rng)
        successes, visits = (
            np.append(part[nodes], other)
            for part, other in zip(self.evidence, (rest.successes, rest.visits), strict=True)
        )
        sample = self.prior.draws(successes, visits, draws, rng)
        return sample[:, :-1], sample[:, -1:]


def rollout_tree(rollouts: Sequence[Rollout], paths: Sequence[int]) -> Tree:
    """Build the tree of some rollouts, with all nodes of the paths and of forced prefixes, and those that are shared.

    Args:
        rollouts: the rollouts.
        paths: indices of the representative paths.
    """
    down_to = np.array([rollout.launch for rollout in rollouts], dtype=np.int64)
    down_to[list(paths)] = [len(rollouts[path].token_ids) for path in paths]
    lengths = np.array([rollout.length for rollout in rollouts], dtype=np.int64)
    return build_tree([rollout.token_ids for rollout in rollouts], down_to, lengths)


@dataclass(eq=False)
class QuestionTree:
    """Tree of one question with the success of its edges.

    Inside, a node is its row in the tree; tables and seeds have its number (`odd.method.tree.Tree.number`).

    Args:
        question: id of the question; part of every seed.
        rollouts: all rollouts, initial ones first.
        path_rollouts: indices of the representative paths.
        rows: distributions along each path; they keep the tokens of all children.
        config: analysis settings.
    """

    question: str
    rollouts: Sequence[Rollout]
    path_rollouts: Sequence[int]
    rows: PathRows
    config: AnalysisConfig
    tree: Tree = field(init=False)
    places: dict[int, tuple[int, int]] = field(init=False)
    log_p: np.ndarray = field(init=False)
    sample: Sample = field(init=False)
    success: dict[str, Success] = field(init=False)

    def __post_init__(self) -> None:
        """Build the tree and estimate the success of its edges under every rule."""
        self.tree = rollout_tree(self.rollouts, self.path_rollouts)
        self.places = {}
        for path, rollout in enumerate(self.path_rollouts):
            for position, node in enumerate(self.tree.nodes_of(rollout)[:-1].tolist()):
                self.places.setdefault(node, (path, position))
        self.log_p = self._edge_log_p()
        launch = np.array([rollout.launch for rollout in self.rollouts])
        correct = np.array([rollout.correct for rollout in self.rollouts])
        self.sample = Sample(self.tree, launch, correct, np.exp(self.log_p))
        self.success = {name: self._success(pooling_rule(name)) for name in self.config.poolings}

    def _edge_log_p(self) -> np.ndarray:
        """Return the student log-probability of each edge from a path node, NaN elsewhere; float64 (N,)."""
        log_p = np.full(self.tree.size, np.nan)
        for node, (path, position) in self.places.items():
            children = np.asarray(self.tree.children(node))
            if len(children):
                row = self.rows.at(path, position)[1.0]
                log_p[children] = row.log_p[row.index(self.tree.token[children])]
        return log_p

    def _success(self, rule: PoolingRule) -> Success:
        found = rule.success(self.sample)
        rng = np.random.default_rng([self.config.seed, derived_seed(self.question, rule.name)])
        posterior = rule.posterior(self.sample, found.counts, self.config.posterior_draws, rng)
        every = found.counts, found.drawn, found.value, rule, posterior
        if self.config.prior == "jeffreys" or not rule.shares:
            return Success(*every)
        successes, visits = equivalent_counts(found.counts.successes, found.counts.visits, found.value, posterior)
        edges = self.path_edges()
        prior = fit_sibling_prior(successes[edges], visits[edges], self.tree.parent[edges])
        return Success(*every, prior, (successes, visits))

    @cached_property
    def alike(self) -> dict[str, tuple[str, ...]]:
        """Groups of rules that count the same rollouts, by first rule; a group shares S_u and sampled objectives."""
        groups: dict[tuple[bytes, bytes], list[str]] = {}
        for name, state in self.success.items():
            rules = state.rule.counted, state.rule.drawn
            first, second = (counted_by_launch(self.tree, self.sample.launch, each).tobytes() for each in rules)
            groups.setdefault((first, second), []).append(name)
        return {names[0]: tuple(names) for names in groups.values()}

    @cached_property
    def halves(self) -> dict[str, tuple[EdgeSuccess, EdgeSuccess]]:
        """Success estimated from each of two random halves of the rollouts, by rule.

        Selecting tokens by a noisy score and measuring them on the same rollouts favours noise (method §7, honest
        selection). The halves give two independent estimates: one selects, the other measures, and their agreement is
        the reliability of the scores.
        """
        launch = self.sample.launch
        edges = self.tree.nodes_at(np.arange(len(launch)), launch)
        second = random_halves(edges, np.random.default_rng([self.config.seed, derived_seed(self.question, "halves")]))
        one, other = self.sample.part(~second), self.sample.part(second)
        return {name: (state.rule.success(one), state.rule.success(other)) for name, state in self.success.items()}

    def path_edges(self) -> np.ndarray:
        """Return the edges from path nodes."""
        return np.flatnonzero(np.isin(self.tree.parent, list(self.places)))

    def _intervals(self, state: Success) -> tuple[np.ndarray, np.ndarray]:
        """Return 95% intervals of P̂, (N,) each, which hold P̂ itself: a prior may move the posterior away from it."""
        low, high = self._posterior_intervals(state)
        value = np.where(np.isnan(low), np.nan, state.value)
        return np.fmin(low, value), np.fmax(high, value)

    def _posterior_intervals(self, state: Success) -> tuple[np.ndarray, np.ndarray]:
        """Return the intervals of the posterior; off the paths no prior is shared and the rule gives them."""
        low, high = state.rule.interval(state.counts.successes, state.counts.visits)
        if state.prior is None or state.evidence is None:
            for node, sample in state.posterior.items():
                low[node], high[node] = np.quantile(sample, (0.025, 0.975))
            return low, high
        for parent in self.places:
            children = np.asarray(self.tree.children(parent), dtype=np.int64)
            children = children[state.counts.visits[children] > 0]
            if not len(children):
                continue
            seed = derived_seed(self.question, state.rule.name, "interval", int(self.tree.number[parent]))
            rng = np.random.default_rng([self.config.seed, seed])
            won, seen = (part[children] for part in state.evidence)
            low[children], high[children] = state.prior.intervals(won, seen, self.config.posterior_draws, rng)
        return low, high

    @cached_property
    def _stored(self) -> np.ndarray:
        """Nodes that are stored: those with more than one rollout, children of path nodes, and the root."""
        kept = (self.tree.rollouts > 1) | (self.tree.parent < 0)
        kept[self.path_edges()] = True
        return np.flatnonzero(kept)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables that do not depend on teachers: `nodes`, `success`, `node_values` and `path_tokens`."""
        success, values = zip(*(self._success_rows(state) for state in self.success.values()), strict=True)
        return {
            "nodes": self.node_rows(),
            "success": pd.concat(success, ignore_index=True),
            "node_values": pd.concat(values, ignore_index=True),
            "path_tokens": self.path_token_rows(),
        }

    def node_rows(self) -> pd.DataFrame:
        """Return one row per stored node: its place in the tree and the number of rollouts through it."""
        tree = self.tree
        parent = np.where(tree.parent < 0, -1, tree.number[tree.parent])
        columns = {"node": tree.number, "parent": parent, "token": tree.token, "depth": tree.depth, "log_p": self.log_p}
        columns |= {"rollouts": tree.rollouts}
        return pd.DataFrame({name: all_[self._stored] for name, all_ in columns.items()})

    def _success_rows(self, state: Success) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return, under one rule, one row per stored node, and one row per path node with its value V(u)."""
        low, high = self._intervals(state)
        columns = {"visits": state.counts.visits, "successes": state.counts.successes, "success": state.value}
        columns |= {"low": low, "high": high}
        of = {"pooling": state.rule.name}
        success = {name: all_[self._stored] for name, all_ in ({"node": self.tree.number} | columns).items()}
        nodes = np.array(list(self.places), dtype=np.int64)
        known = state.value, low, high, state.counts.visits
        value = node_values(nodes, self.tree.parent, self.sample.p_student, *known)
        return pd.DataFrame(success | of), pd.DataFrame({"node": self.tree.number[nodes], **of, **vars(value)})

    def path_token_rows(self) -> pd.DataFrame:
        """Return one row per position of each path: the node before the token and the child after it."""
        frames = []
        for path, rollout in enumerate(self.path_rollouts):
            nodes = self.tree.number[self.tree.nodes_of(rollout)]
            frames.append(
                pd.DataFrame(
                    {
                        "path": path,
                        "position": np.arange(len(nodes) - 1),
                        "node": nodes[:-1],
                        "child": nodes[1:],
                        "token": self.rollouts[rollout].token_ids,
                    }
                )
            )
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
