"""Scores and gradients of teachers at the path nodes of a question, under every convention (method §3-4).

For each convention, nodes with the same number of children are computed as one batch: with one call per node, the
overhead of the calls would dominate.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd

from odd.analysis.columns import Column, Columns, Labels
from odd.analysis.cuts import Cut, NodeSuccess, node_success, teacher_gradients
from odd.analysis.path_rows import TOP
from odd.analysis.question_tree import QuestionTree
from odd.analysis.rollout_rewards import Reading, RolloutRewards
from odd.method.measures import Nodes, scores
from odd.method.node_signal import NodeSignal
from odd.method.objectives import Rollouts
from odd.method.success import Children, significant_children

DTYPES = {"DOUBLE": np.float64, "INTEGER": np.int64, "BOOLEAN": np.bool_}
BLOCK = 48
"""Number of nodes scored together."""

TableRows = tuple[str, int, dict[str, Column]]
"""Name of a table, number of rows to add, and their columns."""


def score_teachers(tree: QuestionTree, reading: Reading | None = None) -> dict[str, pd.DataFrame]:
    """Score all teachers of a tree at every path node.

    Args:
        tree: tree of the question.
        reading: log-probabilities of all rollouts, for objectives that need rewards.

    Returns:
        Rows of the tables `teacher_tokens`, `node_teachers`, `scores`, `half_scores`, `components` and `gradients`,
        without the question column. `components` does not depend on the teachers.
    """
    if not tree.rows.teachers:
        return {}
    tables: dict[str, Columns] = {}
    rewards, nodes = RolloutRewards(tree, reading), list(tree.places)
    # NumPy releases the GIL while it sorts many draws, so threads run these sorts in parallel; code that is mostly
    # Python stays out of the threads, as they would contend for the GIL at every call
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(nodes), BLOCK):
            block = _Block(tree, nodes[start : start + BLOCK], rewards)
            for table, count, columns in (*block.cut_down(), *block.score(threads)):
                tables.setdefault(table, Columns()).add(count, columns)
    return {table: columns.frame() for table, columns in tables.items()}


class _Block:
    """All scores of all teachers at a block of nodes."""

    def __init__(
        self,
        tree: QuestionTree,
        nodes: Sequence[int],
        rewards: RolloutRewards,
    ) -> None:
        self.tree, self.nodes, self.rewards = tree, nodes, rewards
        self.numbers = tree.tree.number[list(nodes)]
        self.names, self.objectives = list(tree.rows.teachers), tree.config.objectives
        self.conventions = list(tree.config.conventions)
        self.cuts: list[dict[str, tuple[Children, Cut]]] = [{} for _ in nodes]
        self.success: dict[tuple[int, str], NodeSuccess] = {}
        # by node, convention, and pair of teacher and objective, the objective varying fastest
        pairs = np.arange(len(self.names) * len(self.objectives)).reshape(len(self.names), -1)
        shape = len(nodes), len(self.conventions), pairs.size
        self.measures = scores()
        self.scores = {
            name: np.zeros(shape, DTYPES[measure.type])
            for measure in self.measures
            for name in (measure.column, *(measure.interval or ()))
        }
        self.half_scores = {measure.column: np.zeros((*shape, 2)) for measure in self.measures if measure.halves}
        # an objective without a teacher is the same for all teachers
        same = [not objective.has_teacher for objective in self.objectives]
        pairs[:, same] = pairs[0, same]
        self.distinct, self.copies = np.unique(pairs.ravel(), return_inverse=True)
        outcomes = [objective.uses_outcomes() for objective in self.objectives]
        self.halved = np.flatnonzero(~np.tile(outcomes, len(self.names)))
        self.vectors: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}

    def cut_down(self) -> Iterator[TableRows]:
        """Restrict the nodes to their children S_u; yield the rows that do not depend on scores."""
        for place, node in enumerate(self.nodes):
            yield from self._cut_down(place, node, NodeSignal(self.tree.rows.at(*self.tree.places[node])))

    def score(self, threads: Executor) -> Iterator[TableRows]:
        """Score the restricted nodes; yield rows of `scores`, `half_scores`, `gradients` and `components`."""
        for found in threads.map(self._success, range(len(self.nodes))):
            self.success |= found
        list(threads.map(lambda alike: self._score(*alike), self._alike()))
        yield from self._score_rows()

    def _alike(self) -> Iterator[tuple[int, list[int], Sequence[NodeSuccess]]]:
        """Yield, for each convention, batches of nodes with the same number of children."""
        for number, convention in enumerate(self.conventions):
            of_rule = [(place, one) for (place, pooling), one in self.success.items() if pooling == convention.pooling]
            for size in sorted({one.children for _, one in of_rule}):
                places, alike = zip(*(pair for pair in of_rule if pair[1].children == size), strict=True)
                yield number, list(places), alike

    def _cut_down(self, place: int, node: int, signal: NodeSignal) -> Iterator[TableRows]:
        """Yield the rows of a node that do not depend on scores, and restrict it to S_u for scoring."""
        children = np.asarray(self.tree.tree.children(node), dtype=np.int64)
        tokens, count = self.tree.tree.token[children], len(children)
        teachers = np.arange(len(self.names))
        numbers = np.tile(self.tree.tree.number[children], len(self.names))
        own = {"node": numbers, "teacher": Labels(self.names, np.repeat(teachers, count))}
        yield (
            "teacher_tokens",
            len(self.names) * count,
            own | {"log_q": signal.row.log_q[:, signal.row.index(tokens)].ravel()},
        )
        yield (
            "node_teachers",
            len(self.names),
            {"node": self.numbers[place], "teacher": Labels(self.names, teachers), **signal.divergences(TOP)},
        )
        for rule, poolings in self.tree.alike.items():
            self._cut(place, node, signal, rule, poolings)

    def _cut(self, place: int, node: int, signal: NodeSignal, rule: str, poolings: Sequence[str]) -> None:
        """Restrict the node to S_u, if it has at least two children, for the pooling rules that count like `rule`."""
        state, config = self.tree.success[rule], self.tree.config
        chosen = significant_children(self.tree.tree, node, state.counts, state.drawn, config.n_sig)
        if len(chosen.nodes) < 2:
            return
        # a sampled objective averages over rollouts: the student's draws only, or all rollouts if the rule pools them
        children = np.asarray(self.tree.tree.children(node), dtype=np.int64)
        rollouts = Rollouts(
            self.tree.tree.token[children].astype(np.int64),
            state.drawn.visits[children],
            state.drawn.successes[children],
            self.rewards.at(node, rule),
        )
        cut = Cut(
            NodeSignal(signal.rows, rollouts), self.tree.tree.token[chosen.nodes].astype(np.int64), self.objectives
        )
        self.cuts[place] |= dict.fromkeys(poolings, (chosen, cut))

    def _success(self, place: int) -> dict[tuple[int, str], NodeSuccess]:
        """Estimate P̂ at a node under each pooling rule, with posterior draws."""
        node, cuts = self.nodes[place], self.cuts[place]
        return {(place, pooling): node_success(self.tree, node, pooling, *cut) for pooling, cut in cuts.items()}

    def _score(self, number: int, places: Sequence[int], alike: Sequence[NodeSuccess]) -> None:
        """Score nodes with the same number of children under one convention."""
        baseline, rest = self.conventions[number].baseline, self.conventions[number].rest
        tokens, success, draws, halves = zip(*(one.components(rest) for one in alike), strict=True)
        cuts = [one.cut for one in alike]
        nodes = Nodes(
            p=np.stack([cut.student(baseline, rest) for cut in cuts]),
            success=np.stack(success),
            gradients=teacher_gradients(cuts, self.objectives, baseline, rest),
            q=np.stack([cut.teachers(baseline, rest) for cut in cuts]),
            rest=np.array([one.success[-1] for one in alike]),
            visits=np.array([one.visits for one in alike]),
            draws=np.stack(draws).swapaxes(1, 2),
            rest_draws=np.stack([one.draws[-1] for one in alike]),
            distinct=self.distinct,
            copies=self.copies,
        )
        for measure in self.measures:
            if measure.value is not None:
                self.scores[measure.column][places, number] = measure.value(nodes)
            for name, ends in zip(measure.interval or (), measure.bounds(nodes), strict=True):
                self.scores[name][places, number] = ends
        rests = np.stack([one.halves[:, -1] for one in alike], axis=1)
        for half, (own, rest_of_half) in enumerate(zip(np.stack(halves, axis=1), rests, strict=True)):
            none = nodes.draws[:, :0], nodes.rest_draws[:, :0]
            of_half = replace(nodes, success=own, rest=rest_of_half, draws=none[0], rest_draws=none[1])
            for measure in self.measures:
                if measure.halves and measure.value is not None:
                    self.half_scores[measure.column][places, number, :, half] = measure.value(of_half)
        single = [vectors.astype(np.float32) for vectors in (nodes.ideal, nodes.gradients)]
        # the children's own probabilities leave nothing to a rest
        own_rest = np.full(len(alike), np.nan) if (baseline, rest) == ("children", "off") else nodes.rest
        for place, *vectors in zip(places, tokens, nodes.p, success, own_rest, *single, strict=True):
            self.vectors[place, number] = tuple(vectors)

    def _score_rows(self) -> Iterator[TableRows]:
        """Yield rows of `scores`, `half_scores`, `gradients` and `components`, ordered by node."""
        done = sorted(self.vectors)
        if not done:
            return
        place, number = np.array(done).T
        pairs = np.arange(len(self.names) * len(self.objectives))
        keys, count = self._keys(place, number, pairs), len(pairs) * len(done)
        whole: dict[str, Column] = {name: values[place, number].ravel() for name, values in self.scores.items()}
        yield "scores", count, keys | whole
        halves = {name: values[place, number][:, self.halved] for name, values in self.half_scores.items()}
        for half in (0, 1) if len(self.halved) else ():
            own: dict[str, Column] = {name: values[..., half].ravel() for name, values in halves.items()}
            keys_of_half = self._keys(place, number, self.halved) | {"half": half}
            yield "half_scores", len(self.halved) * len(done), keys_of_half | own
        tokens, p, success, rests, ideal, gradients = zip(*(self.vectors[key] for key in done), strict=True)
        yield "gradients", count, keys | {"teacher_gradient": [row for rows in gradients for row in rows]}
        columns = {"tokens": [row.astype(np.int32) for row in tokens], "p": list(p), "success": list(success)}
        columns |= {"rest_success": np.array(rests)}
        yield "components", len(done), self._node_keys(place, number) | columns | {"ideal": list(ideal)}

    def _node_keys(self, place: np.ndarray, number: np.ndarray, times: int = 1) -> dict[str, Column]:
        """Return the node and convention columns, each entry repeated `times` times."""
        conventions = Labels([one.label for one in self.conventions], np.repeat(number, times))
        return {"node": np.repeat(self.numbers[place], times), "convention": conventions}

    def _keys(self, place: np.ndarray, number: np.ndarray, pairs: np.ndarray) -> dict[str, Column]:
        """Return the node, convention, teacher and objective columns: for each node, all `pairs`."""
        teachers, objectives = (np.tile(part, len(place)) for part in np.divmod(pairs, len(self.objectives)))
        return self._node_keys(place, number, len(pairs)) | {
            "teacher": Labels(self.names, teachers),
            "objective": Labels([one.label for one in self.objectives], objectives),
        }
