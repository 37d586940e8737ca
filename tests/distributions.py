"""Full distributions for tests: gradients by keyword, rows of paths from (T, V) arrays, and a scorer's output."""

from collections.abc import Mapping, Sequence

import numpy as np

from odd.analysis.path_rows import PathRows, read_path_rows
from odd.method.objectives import Objective, objective
from odd.method.objectives.base import Taken
from odd.method.tree import distinct_places


def gradient_of(one: Objective, log_p, log_q, visits=None, successes=None, to_go=None) -> np.ndarray:
    return one.gradient(log_p, log_q, Taken(visits, successes, to_go))


def topk_reverse_kl(log_p, log_q, k=16, support="student", tail="bucket", temperature=1.0) -> np.ndarray:
    one = objective("topk_reverse_kl", k=k, support=support, tail=tail, temperature=temperature)
    return one.gradient(log_p, log_q)


def topk_forward_kl(log_p, log_q, k=16, support="student", tail="bucket", temperature=1.0) -> np.ndarray:
    one = objective("topk_forward_kl", k=k, support=support, tail=tail, temperature=temperature)
    return one.gradient(log_p, log_q)


def rows_along(
    responses: Sequence[Sequence[int]],
    log_p: Sequence[np.ndarray],
    log_q: Mapping[str, Sequence[np.ndarray]],
    objectives: Sequence[Objective] = (),
) -> PathRows:
    """Rows of paths from full distributions, (T, V) per path."""
    places = distinct_places(responses)

    def slices(arrays):
        return [arrays[path][position][None] for path, position in places]

    wanted = [[np.empty(0, np.int64)] * len(response) for response in responses]
    return read_path_rows(
        responses, slices(log_p), {name: slices(rows) for name, rows in log_q.items()}, wanted, objectives
    )


def read_along(scorer, prompt, responses, temperature=1.0) -> list[np.ndarray]:
    """A scorer's distributions along responses, (T, V) each."""
    places = distinct_places(responses)
    read = list(scorer.read(prompt, responses, temperature))
    rows = np.concatenate(read) if read else np.empty((0, 0), np.float32)
    assert len(rows) == len(places)
    known = {tuple(responses[i][:t]): row for (i, t), row in zip(places, rows, strict=True)}
    size = scorer.vocabulary_size
    return [
        np.array([known[tuple(response[:t])] for t in range(len(response))], dtype=np.float32).reshape(-1, size)
        for response in responses
    ]
