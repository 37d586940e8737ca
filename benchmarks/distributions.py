"""Sparse rows along paths from given distributions instead of a model's."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from odd.analysis.path_rows import PathRows, children_along, read_path_rows
from odd.method.objectives import Objective
from odd.method.tree import Tokens, build_tree, distinct_places

Distributions = Callable[[int], np.ndarray]
"""Maps the number of a path to the log-probabilities along it, float32 (T, V)."""


def slices(responses: Sequence[Sequence[int]], read: Distributions) -> Iterator[np.ndarray]:
    """Yield distributions in the order of `distinct_places`, (1, V) each; one path is read at a time."""
    known: tuple[int, np.ndarray] | None = None
    for path, position in distinct_places(responses):
        if known is None or known[0] != path:
            known = path, read(path)
        yield known[1][position][None]


def rows_of(
    rollouts: Sequence[Tokens],
    paths: Sequence[int],
    student: Distributions,
    teachers: Mapping[str, Distributions],
    objectives: Sequence[Objective],
    tau: float = 1.0,
) -> PathRows:
    """Return the rows along the paths, which keep every child taken by a rollout.

    Args:
        rollouts: token ids of each rollout.
        paths: indices of the rollouts that are paths.
        student: the student's distributions.
        teachers: the teachers' distributions, by name.
        objectives: objectives whose gradients will be needed.
        tau: also keep tokens with a probability above this.
    """
    responses: list[list[int]] = [np.asarray(rollouts[i]).tolist() for i in paths]
    read = {name: slices(responses, one) for name, one in teachers.items()}
    wanted = children_along(build_tree(rollouts), paths)
    return read_path_rows(responses, slices(responses, student), read, wanted, objectives, tau)
