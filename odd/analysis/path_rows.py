"""Distributions along the paths of a question as sparse rows, read from student and teachers in parallel.

A model yields its distributions prefix by prefix in slices of bounded size. Each slice is reduced on arrival, so no
(T, V) array is ever in memory. Prefixes that several paths share are read once.
"""

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from odd.method.node_signal import NodeRows
from odd.method.objectives import Objective
from odd.method.sparse_rows import read_rows
from odd.method.tree import Tree, distinct_places

Slices = Iterable[np.ndarray]
"""Distributions of a model, float32 (n, V) per slice, in the order of `odd.method.tree.distinct_places`."""

KEEP_ALL = 4096
"""Vocabulary size up to which rows keep all tokens, including those of children found later."""
TOP = 16
"""Top-k tokens of student and teachers to compare, as in verl's metrics."""


@dataclass(frozen=True, eq=False)
class PathRows:
    """Rows of every distinct prefix of the paths.

    Attributes:
        teachers: names, in the order of the rows' teachers.
        rows: rows of each distinct prefix.
        numbers: for each path, index of the row before each of its tokens, (T,).
    """

    teachers: tuple[str, ...]
    rows: Sequence[NodeRows]
    numbers: Sequence[np.ndarray]

    def at(self, path: int, position: int) -> NodeRows:
        """Return the rows of the node before a token of a path."""
        return self.rows[self.numbers[path][position]]

    def path(self, path: int) -> list[NodeRows]:
        """Return the rows of the nodes along a path."""
        return [self.rows[number] for number in self.numbers[path]]

    def keep(self, wanted: Sequence[Sequence[np.ndarray]]) -> bool:
        """Whether every row keeps its tokens in `wanted`, which is indexed by path and position."""
        return all(
            self.at(path, position)[1.0].keeps(tokens)
            for path, places in enumerate(wanted)
            for position, tokens in enumerate(places)
        )


def reading_path_rows(
    responses: Sequence[Sequence[int]],
    student: Slices,
    teachers: Mapping[str, Slices],
    wanted: Sequence[Sequence[np.ndarray]],
    objectives: Sequence[Objective],
    tau: float = 1.0,
) -> Generator[tuple[int, int], None, PathRows]:
    """Read the distributions along paths, slice by slice.

    Args:
        responses: token ids of each path.
        student: distributions of the student.
        teachers: distributions of each teacher, by name.
        wanted: tokens that rows must keep, ascending, by path and position.
        objectives: objectives whose gradients will be computed.
        tau: rows also keep the tokens whose probability exceeds it under the student or any teacher.

    Yields:
        After each slice, the number of distinct prefixes read and their total number.

    Returns:
        The rows.

    Raises:
        ValueError: the number of distributions is not the number of distinct prefixes.
    """
    places = distinct_places(responses)
    threshold = np.log(tau) if tau > 0 else -np.inf
    rows: list[NodeRows] = []

    def reduced(node: tuple[tuple[int, int], *tuple[np.ndarray, ...]]) -> NodeRows:
        (path, position), log_p, *others = node
        log_q = np.stack(others) if others else np.empty((0, len(log_p)), np.float32)
        tokens = None
        if len(log_p) > KEEP_ALL:
            likely = np.flatnonzero((log_p > threshold) | (log_q > threshold).any(axis=0))
            tokens = np.union1d(wanted[path][position], likely)
        return read_rows(log_p, log_q, tokens, objectives, TOP)

    # NumPy releases the GIL while it sums over a vocabulary, so threads reduce rows in parallel
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for slices in side_by_side([student, *teachers.values()]):
            size = min(part.shape[1] for part in slices)
            nodes = places[len(rows) : len(rows) + len(slices[0])]
            rows += threads.map(reduced, zip(nodes, *(part[:, :size] for part in slices), strict=True))
            yield len(rows), len(places)
    if len(rows) != len(places):
        raise ValueError(f"expected distributions of {len(places)} distinct prefixes, the models gave {len(rows)}")
    return PathRows(tuple(teachers), rows, prefix_numbers(responses, places))


def read_path_rows(
    responses: Sequence[Sequence[int]],
    student: Slices,
    teachers: Mapping[str, Slices],
    wanted: Sequence[Sequence[np.ndarray]],
    objectives: Sequence[Objective],
    tau: float = 1.0,
) -> PathRows:
    """Run `reading_path_rows` to its end and return the rows."""
    steps = reading_path_rows(responses, student, teachers, wanted, objectives, tau)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def prefix_numbers(
    responses: Sequence[Sequence[int]], places: Sequence[tuple[int, int]] | None = None
) -> list[np.ndarray]:
    """Return the index of the distinct prefix before each token of each response.

    Args:
        responses: token ids of each response.
        places: their distinct places; None: from `distinct_places`.
    """
    places = distinct_places(responses) if places is None else places
    found = [np.full(len(response), -1, dtype=np.int64) for response in responses]
    for number, (path, position) in enumerate(places):
        found[path][position] = number
    before: np.ndarray | None = None
    for path in sorted(range(len(responses)), key=lambda i: tuple(responses[i])):
        own = found[path]
        shared = np.flatnonzero(own >= 0)
        known = int(shared[0]) if len(shared) else len(own)
        if before is not None and known:
            own[:known] = before[:known]
        before = own if len(own) else before
    return found


def side_by_side(models: Sequence[Slices]) -> Iterator[list[np.ndarray]]:
    """Yield slices of equal length from models that yield slices of different lengths.

    Raises:
        ValueError: the models yield different numbers of distributions.
    """
    waiting: list[np.ndarray | None] = [None] * len(models)
    sources = [iter(model) for model in models]
    while True:
        for number, source in enumerate(sources):
            if waiting[number] is None:
                waiting[number] = next(source, None)
        ready = [part for part in waiting if part is not None]
        if len(ready) < len(models):
            if ready:
                raise ValueError("student and teachers gave different numbers of distributions")
            return
        count = min(map(len, ready))
        yield [part[:count] for part in ready]
        waiting = [part[count:] if len(part) > count else None for part in ready]


def children_along(tree: Tree, paths: Sequence[int]) -> list[list[np.ndarray]]:
    """Return the child tokens at each node along some rollouts, ascending.

    Args:
        tree: tree of the rollouts, with all nodes of the paths.
        paths: indices of the rollouts that are paths.
    """
    found = []
    for rollout in paths:
        nodes = tree.nodes_of(rollout)[:-1].tolist()
        found.append([tree.token[list(tree.children(node))].astype(np.int64) for node in nodes])
    return found
