"""Adaptive allocation of targeted rollouts, chunk by chunk, given the results so far (`targeting.allocation`).

A chunk depends only on the rollouts of earlier chunks, the distributions along the paths, and seeds. So an interrupted
run resumes to the same result.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from odd.analysis.path_rows import PathRows
from odd.analysis.question_tree import rollout_tree
from odd.config import SamplingConfig, TargetingConfig
from odd.method.allocation import TargetNode, next_launches
from odd.method.node_signal import NodeRows
from odd.method.objectives.reverse_kl import ReverseKL
from odd.method.pooling import pooling_rule
from odd.method.success import edge_counts
from odd.rollouts.sampling import Rollout, chunks, derived_seed

Prefix = tuple[int, ...]


class Allotment:
    """Allocation of the targeted rollouts of one question."""

    def __init__(
        self,
        question: str,
        initial: Sequence[Rollout],
        pairs: Sequence[Mapping],
        paths: Sequence[Prefix],
        rows: PathRows,
        guides: Collection[str],
        targeting: TargetingConfig,
        sampling: SamplingConfig,
    ) -> None:
        """Collect the nodes of all pairs.

        Args:
            question: id of the question; part of every seed.
            initial: its initial rollouts.
            pairs: rows of the table `pairs`.
            paths: token ids of the representative rollouts.
            rows: distributions along each path.
            guides: the teachers whose alignment signs the allocation resolves.
            targeting: settings.
            sampling: settings.
        """
        self.question, self.initial, self.targeting, self.sampling = question, initial, targeting, sampling
        places = {paths[pair["path"]][: pair["position"]]: (pair["path"], pair["position"]) for pair in pairs}
        self.prefixes = [(*paths[pair["path"]][: pair["position"]], pair["token"]) for pair in pairs]
        number = {prefix: i for i, prefix in enumerate(self.prefixes)}
        teachers = [number for number, name in enumerate(rows.teachers) if name in guides]
        self.nodes = [
            _target_node(before, number, rows.at(path, at), teachers, targeting.tau)
            for before, (path, at) in places.items()
        ]
        self.budget = sum(max(0, targeting.n_min - pair["visits"]) for pair in pairs)
        length = float(np.mean([len(rollout.token_ids) for rollout in initial]))
        self.cost = np.array([max(1.0, length - len(prefix)) for prefix in self.prefixes])

    def chunk(self, number: int, targeted: Sequence[Rollout]) -> list[Prefix]:
        """Return the forced prefixes of a chunk, one per rollout; empty when no more are needed.

        Args:
            number: number of the chunk.
            targeted: rollouts of all earlier chunks.
        """
        size = min(self.sampling.chunk_size, self.budget - len(targeted))
        if size <= 0 or not self.nodes:
            return []
        successes, visits = self._counts([*self.initial, *targeted])
        rng = np.random.default_rng([self.sampling.seed, derived_seed(self.question, "allocation", number)])
        given = next_launches(self.nodes, successes, visits, self.cost, size, self.targeting.floor, rng)
        forced = [prefix for prefix, count in zip(self.prefixes, given.tolist(), strict=True) for _ in range(count)]
        return chunks(forced, len(forced))[0] if forced else []

    def launched(self, targeted: Sequence[Rollout]) -> list[int]:
        """Return the number of targeted rollouts of each pair."""
        drawn = Counter(rollout.forced for rollout in targeted)
        return [drawn[prefix] for prefix in self.prefixes]

    def _counts(self, rollouts: Sequence[Rollout]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the on-policy successes and visits of the children of each node."""
        tree = rollout_tree(rollouts, range(len(self.initial)))
        forced = np.array([rollout.launch for rollout in rollouts])
        correct = np.array([rollout.correct for rollout in rollouts])
        counts = edge_counts(tree, forced, correct, pooling_rule("on_policy").counted)
        children = [
            np.array([tree.child(at, token) for token in node.tokens.tolist()])
            for node, at in ((node, tree.find(node.prefix)) for node in self.nodes)
        ]
        # -1: no rollout went there yet
        return (
            [np.where(edges >= 0, counts.successes[edges], 0) for edges in children],
            [np.where(edges >= 0, counts.visits[edges], 0) for edges in children],
        )


def _target_node(
    prefix: Prefix, pairs: Mapping[Prefix, int], rows: NodeRows, teachers: Sequence[int], tau: float
) -> TargetNode:
    """Collect the children of a node: the forced tokens and those with student probability above `tau`."""
    row = rows[1.0]
    forced = {edge[-1] for edge in pairs if edge[:-1] == prefix}
    likely = row.tokens[np.exp(row.log_p.astype(np.float64)) > tau]
    tokens = np.array(sorted(forced | set(likely.tolist())), dtype=np.int64)
    return TargetNode(
        prefix,
        tokens,
        np.exp(row.at(tokens)[0]),
        ReverseKL().at(rows, tokens, None).take(teachers, axis=0),
        np.array([pairs.get((*prefix, token), -1) for token in tokens.tolist()], dtype=np.int64),
    )
