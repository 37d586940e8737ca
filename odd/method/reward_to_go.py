"""MiniLLM's reward-to-go along rollouts, and its mean over the rollouts through each edge (method §3, eq. 2.10).

The reward of a token is r_t = log P_te - log P_theta of that token; the reward-to-go at t is the sum over t' >= t of
gamma^(t' - t) r_t'. With length normalisation it is divided by the sum of the same powers of gamma, the discounted
number of remaining tokens, as documented in MiniLLM (arXiv 2306.08543) and in `MiniLLMTrainer._compute_advantage` of
TRL 1.0.0. (Without normalisation that code leaves in a factor gamma^t; this module follows the definition.)

Dimension letters as in `odd.method.logspace`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer

from odd.method.success import Counting, counting
from odd.method.tree import Tree


@dataclass(frozen=True, eq=False)
class RewardToGo:
    """Reward-to-go, split as first * r + later, where r is the reward of the first token.

    Attributes:
        first: weight of the first reward: 1, or 1 / (discounted remaining length).
        later: sum of the discounted rewards that follow, normalised likewise.
    """

    first: Float64[np.ndarray, "..."]
    later: Float64[np.ndarray, "..."]


def split_rewards(
    rewards: Float[np.ndarray, "*B T"], inside: Bool[np.ndarray, "*#B T"], gamma: float, length_normalization: bool
) -> RewardToGo:
    """Compute the reward-to-go at every position of every rollout.

    Args:
        rewards: log P_te - log P_theta of each token; NaN where unknown, which makes everything before it NaN, too.
        inside: which positions contain a token; padding follows.
        gamma: discount, 0 to 1.
        length_normalization: whether to divide by the discounted remaining length.

    Returns:
        Arrays of shape (*B, T), 0 beyond the end of a rollout.
    """
    rewards = np.where(inside, rewards, 0.0).astype(np.float64, copy=False)
    later, lengths = np.zeros_like(rewards), np.zeros(inside.shape)
    for t in range(rewards.shape[-1] - 2, -1, -1):
        # avoid 0 * NaN: with gamma = 0, later unknown rewards do not matter
        later[..., t] = gamma * (rewards[..., t + 1] + later[..., t + 1]) if gamma else 0.0
        lengths[..., t] = gamma * (inside[..., t + 1] + lengths[..., t + 1])
    first = inside / (1 + lengths) if length_normalization else inside.astype(np.float64)
    return RewardToGo(np.broadcast_to(first, rewards.shape), later * first)


def edge_means(
    tree: Tree,
    launch: Integer[np.ndarray, " R"],
    values: Float[np.ndarray, "*B R T"],
    rule: Counting,
) -> Float64[np.ndarray, "*B N"]:
    """Average a value over the rollouts that count for each edge; NaN where none does.

    Rollouts with an unknown (NaN) value at an edge are excluded there.

    Args:
        tree: tree of the rollouts.
        launch: length of the forced prefix of each rollout.
        values: value of the edge that each rollout takes at each position.
        rule: which rollouts count.
    """
    counted = counting(tree, launch, rule)[:, 1:]
    nodes = tree.rollout_nodes[:, 1:][counted]
    flat = values[..., counted].reshape(-1, len(nodes))
    means = np.empty((len(flat), tree.size))
    for row, known in zip(range(len(flat)), ~np.isnan(flat), strict=True):
        visits = np.bincount(nodes[known], minlength=tree.size)
        with np.errstate(invalid="ignore"):
            means[row] = np.bincount(nodes[known], flat[row][known], minlength=tree.size) / visits
    return means.reshape(*values.shape[:-2], tree.size)
