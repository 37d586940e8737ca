"""Every rollout counts for every edge it takes, forced or not, as in the paper's text.

Biased: the ancestors of a launch edge are pulled towards the forced tokens (method §5).
"""

import numpy as np
from jaxtyping import Bool, Float64, Integer, Real

from odd.method.pooling.base import PoolingRule
from odd.method.success import everywhere, wilson


class Pooled(PoolingRule):
    """P̂ is the share of successes among all rollouts through the edge, and likewise for the rest."""

    name = "pooled"
    label = "pooled"
    visits = "pooled visits"
    about = "every rollout counts for every node it passes, forced or not, which biases ancestors"
    meaning = (
        "A rollout counts for every node it passes, as in the paper; this biases earlier nodes towards the forced "
        "tokens."
    )
    shares = False

    def counted(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Count always."""
        return everywhere(launch, depth)

    def drawn(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Count always: forced tokens are treated as sampled ones."""
        return everywhere(launch, depth)

    def interval(
        self, successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"]
    ) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
        """Return the Wilson score interval."""
        return wilson(successes, visits)
