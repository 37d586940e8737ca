"""Choose the nodes of a question's tree to draw, as a networkx graph: paths, frequent branches, unfolded branches.

A large question has a million nodes, so the database returns a bounded number of them (query `tree_nodes`): the most
visited nodes, the paths, and what the user unfolded, always with all ancestors. The rows of the drawing are chosen from
these. Hidden branches can still be counted, as the query also returns the number of children of each node.
"""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import networkx as nx
import numpy as np
import pandas as pd

from odd.method.pooling import PoolingRule, pooling_rule
from odd.store.run import Run

CANDIDATES = 4000
"""Number of most visited nodes to query; few of them are drawn."""
ROWS = 24
"""Rows of the drawing in addition to paths and unfolded branches."""
PAGE = 40
"""Children shown when a node is unfolded; each further time shows as many more."""
FOLLOWED = 0.05
"""A row follows the most visited child as long as it has at least this share of the row's visits."""


@dataclass(frozen=True)
class Size:
    """Totals over a question's rollouts.

    Attributes:
        rollouts: number of rollouts.
        initial: number of rollouts from the root.
        whole: number of targeted rollouts of which all tokens are kept.
        visits: visits of all nodes except the root that count under the convention.
        ends: tokens that end a response.
        cut: length at which responses were truncated; None if none was.
    """

    rollouts: int
    initial: int
    whole: int
    visits: int
    ends: frozenset[int]
    cut: int | None


@dataclass(frozen=True)
class Single:
    """A rollout that no other one follows below a node; the tree stores no nodes for it there.

    `missing` tokens at its end are not kept.
    """

    rollout: int
    tokens: tuple[int, ...]
    visits: int
    correct: bool
    truncated: bool
    low: float | None
    high: float | None
    missing: int = 0


@dataclass
class Display:
    """The nodes to draw.

    Attributes:
        graph: edges from parent to child; node attributes are the columns of the query `tree_nodes`.
        paths: nodes of each representative path, root excluded.
        singles: rollouts that are drawn individually, by node.
        size: totals of the whole tree.
    """

    graph: nx.DiGraph
    paths: dict[int, list[int]]
    size: Size
    singles: dict[int, list[Single]] = field(default_factory=dict)

    def ended(self, node: int) -> bool:
        """Whether the rollouts that reach a node end there."""
        row = self.graph.nodes[node]
        return row["children"] == 0 and (row["token"] in self.size.ends or row["depth"] == self.size.cut)

    def hidden(self, node: int) -> tuple[int, int]:
        """Number of hidden branches at a node, and of rollouts in them; a single rollout is a branch."""
        row = self.graph.nodes[node]
        if self.ended(node):
            return 0, 0
        singles = self.singles.get(node, [])
        alone = row["rollouts"] - row["children_rollouts"]
        drawn = sum(self.graph.nodes[child]["rollouts"] for child in self.graph[node])
        branches = row["children"] - self.graph.out_degree(node) + alone - len(singles)
        return max(0, branches), max(0, row["rollouts"] - drawn - len(singles))

    def prefix(self, node: int) -> list[int]:
        """Tokens from the root to a node."""
        tokens = []
        while node != 0:
            tokens.append(self.graph.nodes[node]["token"])
            node = next(self.graph.predecessors(node))
        return tokens[::-1]


def tree_size(run: Run, question: int, convention: str) -> Size:
    """Totals over the rollouts of a question."""
    row = run.query("tree_size", question=question).iloc[0].to_dict()
    ends = () if row["ends"] is None else (int(token) for token in row["ends"] if token == token)
    cut = None if row["cut"] != row["cut"] or row["cut"] is None else int(row["cut"])
    visits = counted_visits(pooling_rule(convention), run.query("rollout_lengths", question=question))
    return Size(int(row["rollouts"]), int(row["initial"]), int(row["whole"]), visits, frozenset(ends), cut)


def counted_visits(rule: PoolingRule, lengths: pd.DataFrame) -> int:
    """Visits of all nodes except the root; `lengths` is the result of the query `rollout_lengths`."""
    depth = np.arange(1, lengths["length"].max() + 1) if len(lengths) else np.empty(0, np.int64)
    length, launch, rollouts = (lengths[name].to_numpy(np.int64)[:, None] for name in ("length", "launch", "rollouts"))
    return int((rollouts * ((depth <= length) & rule.counted(launch, depth[None]))).sum())


def display(
    run: Run, question: int, convention: str, unfolded: tuple[int, ...] = (), node: int | None = None
) -> Display:
    """Choose the nodes of a question's tree to draw.

    Args:
        run: the run.
        question: number of the question.
        convention: label; its pooling rule decides which rollouts count.
        unfolded: nodes whose rarer branches are shown; each repetition of a node shows `PAGE` more of them.
        node: a node that must be drawn, with its ancestors.
    """
    times = Counter(unfolded)
    asked = set(times) if node is None else {*times, node}
    rows = run.query(
        "tree_nodes",
        question=question,
        convention=convention,
        asked=sorted(asked),
        unfolded=list(times),
        most=[PAGE * count for count in times.values()],
        limit=CANDIDATES,
    )
    chosen = rows["node"].isin(drawn(_Candidates.of(rows)))
    paths: dict[int, list[int]] = {}
    for path, child in run.query("tree_paths", question=question)[["path", "child"]].to_numpy().tolist():
        paths.setdefault(path, []).append(child)
    found = Display(_graph(rows[chosen]), paths, tree_size(run, question, convention))
    for start in times:
        if start in found.graph:
            _add_singles(run, question, convention, found, start, PAGE * times[start])
    return found


def _graph(rows: pd.DataFrame) -> nx.DiGraph:
    """Rows of the query `tree_nodes` as a graph; NaN becomes None."""
    columns = {
        name: [None if value != value else value for value in rows[name].tolist()]
        if pd.api.types.is_float_dtype(rows[name])
        else rows[name].tolist()
        for name in rows.columns
    }
    graph = nx.DiGraph()
    records = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
    graph.add_nodes_from(zip(columns["node"], records, strict=True))
    edges = zip(columns["parent"], columns["node"], strict=True)
    graph.add_edges_from((parent, node) for parent, node in edges if node != 0)
    return graph


@dataclass(frozen=True)
class _Candidates:
    """Candidate nodes that are connected to the root, and their children."""

    visits: dict[int, int]
    depth: dict[int, int]
    children: dict[int, list[int]]
    wanted: set[int]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Self:
        """Read the rows of the query `tree_nodes`, in which parents come before their children."""
        found = cls({}, {}, {}, set())
        columns = (rows[name].tolist() for name in ("node", "parent", "success_visits", "depth", "wanted"))
        for node, parent, visits, depth, wanted in zip(*columns, strict=True):
            if node != 0 and parent not in found.children:
                continue
            found.visits[node], found.depth[node], found.children[node] = visits, depth, []
            if node != 0:
                found.children[parent].append(node)
            if wanted:
                found.wanted.add(node)
        return found

    def urgency(self, node: int) -> tuple[float, int]:
        """Sort key for drawing. By visits alone, the many forced branches of equal size would displace early ones."""
        return -self.visits[node] / self.depth[node] ** 0.5, node

    def row_from(self, head: int) -> Iterator[int]:
        """Yield a node and its most visited descendants, as long as enough visits follow."""
        enough = max(2, FOLLOWED * self.visits[head])
        node: int | None = head
        while node is not None:
            yield node
            best = max(self.children[node], key=lambda child: (self.visits[child], -child), default=None)
            node = best if best is not None and self.visits[best] >= enough else None


def drawn(candidates: _Candidates) -> set[int]:
    """Nodes to draw: the wanted ones and `ROWS` more rows, the most visited and those near the root first."""
    shown, children = set(candidates.wanted), candidates.children
    frontier = [candidates.urgency(child) for node in shown for child in children[node] if child not in shown]
    heapq.heapify(frontier)
    for _ in range(ROWS):
        while frontier and frontier[0][1] in shown:
            heapq.heappop(frontier)
        if not frontier:
            break
        for node in candidates.row_from(heapq.heappop(frontier)[1]):
            shown.add(node)
            for child in children[node]:
                heapq.heappush(frontier, candidates.urgency(child))
    return shown


def _add_singles(run: Run, question: int, convention: str, found: Display, start: int, most: int) -> None:
    """Add the rollouts that leave the stored tree where an unfolded node branches."""
    node, graph = start, found.graph
    while graph.out_degree(node) == 1:
        child = next(iter(graph[node]))
        if graph.nodes[child]["rollouts"] != graph.nodes[node]["rollouts"]:
            break
        node = child
    row = graph.nodes[node]
    room = most - row["children"]
    if found.ended(node) or row["rollouts"] <= row["children_rollouts"] or room <= 0:
        return
    stored = [graph.nodes[child]["token"] for child in graph[node]]
    rows = run.query(
        "tree_singles", question=question, depth=row["depth"], prefix=found.prefix(node), stored=stored, most=room
    )
    rule = pooling_rule(convention)
    low, high = (ends.tolist() for ends in rule.interval(np.array([0, 1]), np.array([1, 1])))
    counted = rule.counted(rows["launch"].to_numpy(np.int64), np.array(row["depth"] + 1))
    for single, counts in zip(rows.to_dict("records"), counted.tolist(), strict=True):
        correct, visits, missing = bool(single["correct"]), int(counts), int(single["missing"])
        ends = (low[correct], high[correct]) if visits else (None, None)
        tokens = tuple(int(token) for token in single["token_ids"])
        found.singles.setdefault(node, []).append(
            Single(int(single["rollout"]), tokens, visits, correct, bool(single["truncated"]), *ends, missing)
        )
