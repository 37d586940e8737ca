"""Scores and gradients of teachers on the path nodes of a question, under every convention (method §3-4)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from odd import alignment
from odd.analysis.columns import Column, Columns
from odd.analysis.question_tree import QuestionTree
from odd.analysis.rollout_rewards import RULES, Reading, RolloutRewards
from odd.gradients import ideal_gradient
from odd.objectives import Convention, Objective, Pooling, Rest
from odd.rollouts import derived_seed
from odd.success import Counts, significant_children

TOP_K = 16  # of the overlap and mass columns, as verl reports them
REST = -1  # token of the bucket that holds everything outside S_u
SAMPLED = ("sampled_reverse_kl", "dr_grpo", "minillm")

Rows = tuple[str, int, dict[str, Column]]
"""Name of a table, how many rows it gets, and their columns."""


def score_teachers(
    tree: QuestionTree, log_q: Mapping[str, Sequence[np.ndarray]], reading: Reading | None = None
) -> dict[str, pd.DataFrame]:
    """Score teachers on every path node.

    Args:
        tree: the question's tree.
        log_q: by teacher name, log-probabilities along each path, float32 (T, V).
        reading: log-probabilities of all rollouts, for `minillm`.

    Returns:
        Rows of the tables `teacher_tokens`, `node_teachers`, `scores` and `gradients`, without the question column.
    """
    if not log_q:
        return {}
    tables: dict[str, Columns] = {}
    rewards = RolloutRewards(tree, log_q, reading)
    for node, (path, position) in tree.places.items():
        scorer = _NodeScorer(
            tree,
            node,
            tree.path_log_probs[path][position],
            {name: rows[path][position] for name, rows in log_q.items()},
            rewards,
        )
        for table, count, columns in scorer.rows():
            tables.setdefault(table, Columns()).add(count, {"node": node} | columns)
    return {table: columns.frame() for table, columns in tables.items()}


class _NodeScorer:
    """All scores of all teachers at one node."""

    def __init__(
        self,
        tree: QuestionTree,
        node: int,
        log_p: np.ndarray,
        log_q: Mapping[str, np.ndarray],
        rewards: RolloutRewards,
    ) -> None:
        self.tree, self.node, self.names = tree, node, list(log_q)
        self.objectives = tree.config.objectives
        size = min(len(log_p), *(len(row) for row in log_q.values()))
        self.log_p, self.log_q = log_p[:size], np.stack([row[:size] for row in log_q.values()])
        # a sampled objective averages over rollouts: the student's own draws, or all of them where the rule pools
        self.signals = {
            rule: alignment.NodeSignal(
                self.log_p,
                self.log_q,
                *tree.dense(node, tree.success[rule].rest, size),
                rewards.at(node, rule, size),
            )
            for rule in RULES
        }

    def rows(self) -> Iterator[Rows]:
        """Pairs of table name and rows."""
        children = np.asarray(self.tree.tree.children(self.node), dtype=np.int64)
        tokens = self.tree.tree.token[children]
        for name, row in zip(self.names, self.log_q, strict=True):
            yield "teacher_tokens", len(children), {"node": children, "teacher": name, "log_p": row[tokens]}
        yield "node_teachers", len(self.names), self._divergences()
        for pooling in self.tree.config.poolings:
            yield from self._pooling_rows(pooling)

    def _divergences(self) -> dict[str, Column]:
        p, q = self.log_p[None].astype(np.float64), self.log_q.astype(np.float64)
        values = asdict(alignment.divergences(p, q))
        values |= {
            "overlap_top16": alignment.top_k_overlap(p, q, TOP_K),
            "teacher_mass_student_top16": alignment.mass_on_top_k(p, q, TOP_K),
            "student_mass_teacher_top16": alignment.mass_on_top_k(q, p, TOP_K),
        }
        return {"teacher": np.array(self.names), **values}

    def _pooling_rows(self, pooling: Pooling) -> Iterator[Rows]:
        cut = self._cut(pooling)
        if cut is None:
            return
        for baseline in self.tree.config.baselines:
            for rest in self.tree.config.rests:
                yield from self._convention_rows(cut, Convention(pooling=pooling, baseline=baseline, rest=rest))

    def _cut(self, pooling: Pooling) -> "_Cut | None":
        """The node cut down to S_u, or None where that is fewer than two children."""
        state, config = self.tree.success[pooling], self.tree.config
        chosen = significant_children(self.tree.tree, self.node, state.counts, state.rest, config.n_sig)
        if len(chosen.nodes) < 2:
            return None
        support = self.tree.tree.token[chosen.nodes].astype(np.int64)
        rng = np.random.default_rng([config.seed, derived_seed(self.tree.question, pooling, self.node)])
        means = state.mean[chosen.nodes]
        rest = Counts(np.array([chosen.rest_visits]), np.array([chosen.rest_successes]))
        draws, rest_draws = state.draws(chosen.nodes, rest, config.posterior_draws, rng)
        log_p, log_q = (rows[..., support].astype(np.float64) for rows in (self.log_p[None], self.log_q))
        columns = {
            "advantage": np.repeat(alignment.teacher_advantage(log_p, log_q, means[None]), len(self.objectives)),
            "children": len(support),
            "success_range": float(alignment.success_range(means)),
            "visits": int(state.counts.visits[chosen.nodes].sum()),
            "decision": bool(alignment.is_decision_point(means)),
        }
        return _Cut(support, means, draws, rest.mean, rest_draws, columns)

    def _convention_rows(self, cut: "_Cut", convention: Convention) -> Iterator[Rows]:
        baseline, rest = convention.baseline, convention.rest
        tokens, success, draws = cut.components(rest)
        p = self.signals["on_policy"].student(cut.support, baseline, rest)
        ideal = ideal_gradient(p, success)
        # (teacher, objective) pairs in one axis, the objective moving fastest
        gradients = [self._components(objective, convention, cut.support) for objective in self.objectives]
        flat = np.stack(gradients, axis=1).reshape(-1, len(tokens))
        posterior = alignment.posterior_alignment(ideal_gradient(p, draws), flat)
        keys = {
            "teacher": np.repeat(self.names, len(self.objectives)),
            "objective": np.tile([objective.label for objective in self.objectives], len(self.names)),
            "convention": convention.label,
        }
        align = alignment.cosine(ideal, flat)
        scores = {
            "alignment": align,
            # a score without a value has no interval either
            "low": np.where(np.isnan(align), np.nan, posterior.align_low),
            "high": np.where(np.isnan(align), np.nan, posterior.align_high),
            "p_positive": np.where(np.isnan(align), np.nan, posterior.p_positive),
            "gain": alignment.gain(ideal, flat),
            "gain_low": posterior.gain_low,
            "gain_high": posterior.gain_high,
        }
        yield "scores", len(flat), keys | scores | cut.columns
        vectors = {
            "tokens": [tokens.astype(np.int32)] * len(flat),
            "ideal": [ideal.astype(np.float32)] * len(flat),
            "teacher_gradient": list(flat.astype(np.float32)),
        }
        yield "gradients", len(flat), keys | vectors

    def _components(self, objective: Objective, convention: Convention, support: np.ndarray) -> np.ndarray:
        """One objective's gradient of every teacher, float64 (M, C)."""
        pooled = convention.pooling == "pooled" and objective.name in SAMPLED
        signal = self.signals["pooled" if pooled else "on_policy"]
        components = signal.components(objective, support, convention.baseline, convention.rest)
        return np.broadcast_to(components, (len(self.names), components.shape[-1]))


@dataclass(frozen=True, eq=False)
class _Cut:
    """A node cut down to S_u under one pooling rule, with what lies outside it joined."""

    support: np.ndarray
    means: np.ndarray
    draws: np.ndarray
    rest_mean: np.ndarray
    rest_draws: np.ndarray
    columns: dict[str, Any]

    def components(self, rest: Rest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokens (C,), success (C,) and its posterior draws (D, C); the rest goes last."""
        if rest == "off":
            return self.support, self.means, self.draws
        draws = np.append(self.draws, self.rest_draws, axis=1)
        return np.append(self.support, REST), np.append(self.means, self.rest_mean), draws
