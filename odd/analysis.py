"""From one question's rollouts and distributions to the rows of its tree, scores and gradients (method §2-4).

Nothing is sampled here: given the same rollouts, a teacher that is added later gets the scores it would have got at
first. The random draws behind the posterior intervals are seeded by question, pooling and node alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pandas as pd

from odd import alignment
from odd.config import AnalysisConfig, Convention, Objective, Pooling
from odd.gradients import ideal_gradient
from odd.rollouts import Rollout, derived_seed
from odd.success import (
    Counts,
    edge_counts,
    edge_draws,
    jeffreys,
    launch_edges,
    significant_children,
    stratified,
    stratified_draws,
)
from odd.tree import Tree, build_tree

TOP_K = 16  # of the overlap and mass columns, as verl reports them
REST = -1  # token of the bucket that holds everything outside S_u
SAMPLED = ("sampled_reverse_kl", "dr_grpo")


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


def score_teachers(tree: QuestionTree, log_q: Mapping[str, Sequence[np.ndarray]]) -> dict[str, pd.DataFrame]:
    """Score teachers on every path node.

    Args:
        tree: the question's tree.
        log_q: by teacher name, log-probabilities along each path, float32 (T, V).

    Returns:
        Rows of the tables `teacher_tokens`, `node_teachers`, `scores` and `gradients`, without the question column.
    """
    if not log_q:
        return {}
    tables: dict[str, list[pd.DataFrame]] = {}
    for node, (path, position) in tree.places.items():
        scorer = _NodeScorer(
            tree,
            node,
            tree.path_log_probs[path][position],
            {name: rows[path][position] for name, rows in log_q.items()},
        )
        for table, frame in scorer.rows():
            tables.setdefault(table, []).append(frame.assign(node=frame.get("node", node)))
    return {table: pd.concat(frames, ignore_index=True) for table, frames in tables.items()}


class _NodeScorer:
    """All scores of all teachers at one node."""

    def __init__(self, tree: QuestionTree, node: int, log_p: np.ndarray, log_q: Mapping[str, np.ndarray]) -> None:
        self.tree, self.node, self.names = tree, node, list(log_q)
        self.objectives = tree.config.objectives
        size = min(len(log_p), *(len(row) for row in log_q.values()))
        self.log_p, self.log_q = log_p[:size], np.stack([row[:size] for row in log_q.values()])
        # a sampled objective averages over rollouts: the student's own draws, or all of them where the rule pools
        self.signals = {
            rule: alignment.NodeSignal(self.log_p, self.log_q, *tree.dense(node, tree.success[rule].rest, size))
            for rule in ("on_policy", "pooled")
        }

    def rows(self):
        """Pairs of table name and rows."""
        children = np.asarray(self.tree.tree.children(self.node), dtype=np.int64)
        tokens = self.tree.tree.token[children]
        for name, row in zip(self.names, self.log_q, strict=True):
            yield "teacher_tokens", pd.DataFrame({"node": children, "teacher": name, "log_p": row[tokens]})
        yield "node_teachers", self._divergences()
        for pooling in self.tree.config.poolings:
            yield from self._pooling_rows(pooling)

    def _divergences(self) -> pd.DataFrame:
        p, q = self.log_p[None].astype(np.float64), self.log_q.astype(np.float64)
        values = asdict(alignment.divergences(p, q))
        values |= {
            "overlap_top16": alignment.top_k_overlap(p, q, TOP_K),
            "teacher_mass_student_top16": alignment.mass_on_top_k(p, q, TOP_K),
            "student_mass_teacher_top16": alignment.mass_on_top_k(q, p, TOP_K),
        }
        return pd.DataFrame({"teacher": self.names} | {k: np.broadcast_to(v, len(q)) for k, v in values.items()})

    def _pooling_rows(self, pooling: Pooling):
        state, config = self.tree.success[pooling], self.tree.config
        cut = significant_children(self.tree.tree, self.node, state.counts, state.rest, config.n_sig)
        if len(cut.nodes) < 2:
            return
        support = self.tree.tree.token[cut.nodes].astype(np.int64)
        rng = np.random.default_rng([config.seed, derived_seed(self.tree.question, pooling, self.node)])
        means = state.mean[cut.nodes]
        draws = edge_draws(cut.nodes, state.counts, config.posterior_draws, rng, state.backed_up)
        rest_counts = Counts(np.array([cut.rest_visits]), np.array([cut.rest_successes]))
        rest_draws = edge_draws([0], rest_counts, config.posterior_draws, rng)
        shared = {
            "children": len(support),
            "success_range": float(alignment.success_range(means)),
            "visits": int(state.counts.visits[cut.nodes].sum()),
            "decision": bool(alignment.is_decision_point(means)),
        }
        shared["advantage"] = np.repeat(
            alignment.teacher_advantage(
                self.log_p[None, support].astype(np.float64), self.log_q[:, support].astype(np.float64), means[None]
            ),
            len(self.objectives),
        )
        for baseline in config.baselines:
            for rest in config.rests:
                convention = Convention(pooling=pooling, baseline=baseline, rest=rest)
                success, sample = means, draws
                if rest == "bucket":
                    success = np.append(means, rest_counts.mean)
                    sample = np.append(draws, rest_draws, axis=1)
                yield from self._convention_rows(convention, support, success, sample, shared)

    def _convention_rows(self, convention, support, success, draws, shared):
        baseline, rest = convention.baseline, convention.rest
        p = self.signals["on_policy"].student(support, baseline, rest)
        ideal = ideal_gradient(p, success)
        # (teacher, objective) pairs in one axis, the objective moving fastest
        gradients = np.stack(
            [self._components(objective, convention, support) for objective in self.objectives], axis=1
        )
        flat = gradients.reshape(-1, gradients.shape[-1])
        posterior = alignment.posterior_alignment(ideal_gradient(p, draws), flat)
        keys = {
            "teacher": np.repeat(self.names, len(self.objectives)),
            "objective": [objective.label for objective in self.objectives] * len(self.names),
            "convention": convention.label,
        }
        align = alignment.cosine(ideal, flat)
        yield (
            "scores",
            pd.DataFrame(
                keys
                | {
                    "alignment": align,
                    # a score without a value has no interval either
                    "low": np.where(np.isnan(align), np.nan, posterior.align_low),
                    "high": np.where(np.isnan(align), np.nan, posterior.align_high),
                    "p_positive": posterior.p_positive,
                    "gain": alignment.gain(ideal, flat),
                    "gain_low": posterior.gain_low,
                    "gain_high": posterior.gain_high,
                }
                | shared
            ),
        )
        tokens = support if rest == "off" else np.append(support, REST)
        yield (
            "gradients",
            pd.DataFrame(
                keys
                | {
                    "tokens": [tokens.astype(np.int32)] * len(flat),
                    "ideal": [ideal.astype(np.float32)] * len(flat),
                    "teacher_gradient": list(flat.astype(np.float32)),
                }
            ),
        )

    def _components(self, objective: Objective, convention: Convention, support: np.ndarray) -> np.ndarray:
        """One objective's gradient of every teacher, float64 (M, C)."""
        pooled = convention.pooling == "pooled" and objective.name in SAMPLED
        signal = self.signals["pooled" if pooled else "on_policy"]
        components = signal.components(objective, support, convention.baseline, convention.rest)
        return np.broadcast_to(components, (len(self.names), components.shape[-1]))
