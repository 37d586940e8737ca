"""A forced rollout counts for its launch edge and the edges below, where it is an unbiased sample of the student."""

import numpy as np
from jaxtyping import Bool, Integer

from odd.method.pooling.base import PoolingRule


class OnPolicy(PoolingRule):
    """P̂ is the share of successes among the rollouts launched at the edge or above; initial ones count everywhere."""

    name = "on_policy"
    label = "on-policy"
    visits = "on-policy visits"
    about = "a targeted rollout counts from its forced token onwards"
    meaning = (
        "A forced rollout counts for the forced token and everything after it, where it is an unbiased sample of the "
        "student; the default."
    )

    def counted(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Count from the launch edge down."""
        return depth >= launch
