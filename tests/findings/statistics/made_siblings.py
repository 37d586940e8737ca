"""Random siblings for tests."""

import numpy as np

from odd.findings.statistics import Siblings

NAN = float("nan")


def siblings(rng, nodes=40, teachers=3, width=4):
    """Scores of some teachers at nodes of 2 to `width` children, padded."""
    count = rng.integers(2, width + 1, nodes)
    there = np.arange(width) < count[:, None]
    p = np.where(there, rng.dirichlet(np.ones(width), nodes), 0.0)
    success = np.where(there, rng.random((nodes, width)), NAN)
    node = np.repeat(np.arange(nodes), teachers)
    shift = rng.normal(size=(nodes * teachers, width)) * there[node]
    shift -= there[node] * shift.sum(axis=1, keepdims=True) / count[node][:, None]
    gradient = rng.normal(size=(nodes * teachers, width)) * there[node]
    return Siblings(p[node], shift, success[node], gradient, there[node], node, np.full(len(node), NAN))
