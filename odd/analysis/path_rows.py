"""The distributions along the paths of a question as sparse rows, student and teachers read side by side.

A model yields its distributions prefix by prefix, in slices of bounded size; they are reduced while they pass, so that
no (T, V) array is ever held. Prefixes that several paths share are read once.
"""

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from odd.method.node_signal import Rows
from odd.method.objectives import Objective
from odd.method.sparse_rows import read_rows
from odd.method.tree import Tree, distinct_places

Slices = Iterable[np.ndarray]
"""Distributions of a model, float32 (n, V) per slice, in the order of `odd.method.tree.distinct_places`."""

KEEP_ALL = 4096
"""Tokens of a vocabulary up to which rows keep all of them: a child that is found later is then there."""
TOP = 16
"""Most probable tokens of student and teachers that are compared, as verl reports them."""


@dataclass(frozen=True, eq=False)
class PathRows:
    """Rows of every distinct prefix of the paths.

    Attributes:
        teachers: names, in the order of the rows' teachers.
        rows: of each distinct prefix.
        numbers: of each path, which row stands before each of its tokens, (T,).
    """

    teachers: tuple[str, ...]
    rows: Sequence[Rows]
    numbers: Sequence[np.ndarray]

    def at(self, path: int, position: int) -> Rows:
        """Rows of the node before a token of a path."""
        return self.rows[self.numbers[path][position]]

    def path(self, path: int) -> list[Rows]:
        """Rows of the nodes along a path."""
        return [self.rows[number] for number in self.numbers[path]]

    def keep(self, wanted: Sequence[Sequence[np.ndarray]]) -> bool:
        """Whether every row keeps the tokens that are wanted at it, given by path and position."""
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
        student: its distributions.
        teachers: theirs, by name.
        wanted: by path and position, tokens that rows must keep, ascending.
        objectives: whose gradients will be asked for.
        tau: rows also keep the tokens with a probability above it under the student or any teacher.

    Yields:
        After each slice, how many distinct prefixes are read, and of how many.

    Returns:
        The rows.
    """
    places = distinct_places(responses)
    threshold = np.log(tau) if tau > 0 else -np.inf
    rows: list[Rows] = []

    def reduced(node: tuple[np.ndarray, tuple[int, int]]) -> Rows:
        distributions, (path, position) = node
        tokens = None
        if distributions.shape[1] > KEEP_ALL:
            likely = np.flatnonzero((distributions > threshold).any(axis=0))
            tokens = np.union1d(wanted[path][position], likely)
        return read_rows(distributions[0], distributions[1:], tokens, objectives, TOP)

    # NumPy lets go of the interpreter while it sums up a vocabulary, so that threads reduce rows side by side
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for slices in side_by_side([student, *teachers.values()]):
            size = min(part.shape[1] for part in slices)
            nodes = np.stack([part[:, :size] for part in slices], axis=1)
            rows += threads.map(reduced, zip(nodes, places[len(rows) : len(rows) + len(nodes)], strict=True))
            yield len(rows), len(places)
    if len(rows) != len(places):
        raise ValueError(f"{len(places)} distinct prefixes were to be read, the models gave {len(rows)}")
    return PathRows(tuple(teachers), rows, _numbers(responses, places))


def read_path_rows(
    responses: Sequence[Sequence[int]],
    student: Slices,
    teachers: Mapping[str, Slices],
    wanted: Sequence[Sequence[np.ndarray]],
    objectives: Sequence[Objective],
    tau: float = 1.0,
) -> PathRows:
    """`reading_path_rows` to its end."""
    steps = reading_path_rows(responses, student, teachers, wanted, objectives, tau)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def _numbers(responses: Sequence[Sequence[int]], places: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Which distinct prefix stands before each token of each response."""
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
    """Slices of equal length from models that yield slices of different lengths.

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
    """Tokens that rollouts took at each node along some of them, ascending.

    Args:
        tree: of the rollouts.
        paths: indices of the rollouts that are paths.
    """
    found = []
    for rollout in paths:
        nodes = tree.rollout_nodes[rollout]
        length = int((nodes >= 0).sum()) - 1
        found.append([tree.token[list(tree.children(int(node)))].astype(np.int64) for node in nodes[:length]])
    return found
