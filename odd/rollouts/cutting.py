"""Cut targeted rollouts where no other rollout shares their tokens, so that a run file need not hold the rest.

Most tokens of long rollouts are visited by a single one. Tree, counts and scores follow from the tokens that rollouts
share, the first that each one has alone, and its length. A few rollouts of each forced prefix stay whole, to be read.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from odd.rollouts.sampling import Rollout, derived_seed


def drawn_whole(question: str, rollouts: Sequence[Rollout], seed: int, each: int) -> list[bool]:
    """Draw the rollouts that stay whole: `each` of every forced prefix and outcome.

    Args:
        question: id of the question; part of the seed.
        rollouts: its targeted rollouts, in sampling order.
        seed: seed of the run.
        each: number per prefix and outcome.
    """
    whole, groups = [False] * len(rollouts), dict[tuple[bytes, bool], list[int]]()
    for i, rollout in enumerate(rollouts):
        groups.setdefault((rollout.token_ids[: rollout.launch].tobytes(), rollout.correct), []).append(i)
    for group in groups.values():
        for i in sorted(group, key=lambda i: derived_seed(seed, question, "whole", i))[:each]:
            whole[i] = True
    return whole


def cut(rollouts: Sequence[Rollout], kept: np.ndarray, whole: Sequence[bool]) -> list[Rollout]:
    """Cut rollouts.

    Args:
        rollouts: the rollouts.
        kept: number of tokens to keep of each, at least its launch.
        whole: which stay whole.
    """
    return [
        one if stays or one.missing or number >= len(one.token_ids) else _cut(one, number)
        for one, number, stays in zip(rollouts, kept.tolist(), whole, strict=True)
    ]


def _cut(rollout: Rollout, kept: int) -> Rollout:
    # copies, as slices would keep the rest in memory
    return replace(
        rollout,
        token_ids=rollout.token_ids[:kept].copy(),
        log_probs=np.full(kept, np.nan, np.float32),
        text="",
        missing=len(rollout.token_ids) - kept,
    )
