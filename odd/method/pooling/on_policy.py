"""A forced rollout counts for its launch edge and for those below, where it is an honest sample of the student."""

import numpy as np
from jaxtyping import Bool, Integer

from odd.method.pooling.base import PoolingRule


class OnPolicy(PoolingRule):
    """P̂ is the share of successes among the rollouts launched at the edge or above; initial ones count everywhere."""

    name = "on_policy"
    label = "on-policy"
    visits = "on-policy visits"
    about = "a targeted rollout counts from its forced token on"
    meaning = (
        "A forced rollout counts for the token that was forced and for what follows, where it is an honest sample of "
        "the student; the default."
    )

    def counted(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """From the launch edge down."""
        return depth >= launch
