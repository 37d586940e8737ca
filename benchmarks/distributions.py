"""Rows of paths whose distributions are made up, or are shown to be another model's."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from odd.analysis.path_rows import PathRows, children_along, read_path_rows
from odd.method.objectives import Objective
from odd.method.tree import build_tree, distinct_places

Distributions = Callable[[int], np.ndarray]
"""Log-probabilities along a path, given by its number, float32 (T, V)."""


def slices(responses: Sequence[Sequence[int]], read: Distributions) -> Iterator[np.ndarray]:
    """Distributions in the order of `distinct_places`, (1, V) each; paths are made one after another."""
    known: tuple[int, np.ndarray] | None = None
    for path, position in distinct_places(responses):
        if known is None or known[0] != path:
            known = path, read(path)
        yield known[1][position][None]


def rows_of(
    rollouts: Sequence[Sequence[int]],
    paths: Sequence[int],
    student: Distributions,
    teachers: Mapping[str, Distributions],
    objectives: Sequence[Objective],
    tau: float = 1.0,
) -> PathRows:
    """Rows along some of the rollouts, which keep every child that a rollout took.

    Args:
        rollouts: token ids of all.
        paths: which of them are paths.
        student: its distributions.
        teachers: theirs, by name.
        objectives: whose gradients will be asked for.
        tau: tokens with a probability above it are kept as well.
    """
    responses = [rollouts[i] for i in paths]
    read = {name: slices(responses, one) for name, one in teachers.items()}
    wanted = children_along(build_tree(rollouts), paths)
    return read_path_rows(responses, slices(responses, student), read, wanted, objectives, tau)
