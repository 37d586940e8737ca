"""Every rollout counts for every edge it takes, forced or not: the paper's text.

Biased: the ancestors of a launch edge are dragged towards what was forced (method §5).
"""

import numpy as np
from jaxtyping import Bool, Float64, Integer, Real

from odd.method.pooling.base import PoolingRule
from odd.method.success import everywhere, wilson


class Pooled(PoolingRule):
    """P̂ is the share of successes among all rollouts through the edge, and so is that of the rest."""

    name = "pooled"
    label = "pooled"
    visits = "pooled visits"
    about = "every rollout counts for all that it passes, forced or not, which biases ancestors"
    meaning = (
        "A rollout counts for every node it passes, as in the paper; earlier nodes are then biased towards what was "
        "forced."
    )
    shares = False

    def counted(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Always."""
        return everywhere(launch, depth)

    def drawn(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Always: forced tokens pass for drawn ones."""
        return everywhere(launch, depth)

    def interval(
        self, successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"]
    ) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
        """The Wilson score interval."""
        return wilson(successes, visits)
