"""Influence: what a token's distillation term does to success under shared parameters (method §9).

With v the gradient of success J in the parameters and dz(u) = dz(u)/dtheta v, the movement of the student's logits at u
when the student improves, the influence of a token is <dz(u), g_D(u)>: its first-order contribution to J in a step
theta + eta sum_u (dz(u)/dtheta)^T g_D(u). It is linear in v, and v is linear in the outcomes, so influence is unbiased
as long as the rollouts that v comes from are others than those whose tokens are judged.

Rollouts are therefore dealt into four quarters. The tokens of quarters 0 and 2 are judged by the mean v of quarters 1
and 3, and the other way round; the two quarters behind a value also give it two independent halves.

Dimension letters as in `odd.method.logspace`; P pairs of teacher and objective, W parameters.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

QUARTERS = 4


def quarter_of(rollouts: int) -> Int64[np.ndarray, " R"]:
    """Deal rollouts, in the order of sampling, into quarters."""
    return np.arange(rollouts) % QUARTERS


def judges_of(half: int) -> tuple[int, int]:
    """Return the quarters whose v judges the tokens of a half, 0 (quarters 0 and 2) or 1 (quarters 1 and 3)."""
    return 1 - half, 3 - half


def advantages(correct: Bool[np.ndarray, " R"]) -> Float64[np.ndarray, " R"]:
    """Return each outcome minus the mean of the others: the leave-one-out baseline.

    Raises:
        ValueError: there are fewer than two.
    """
    count = len(correct)
    if count < 2:
        raise ValueError(f"a leave-one-out baseline needs at least two rollouts, got {count}")
    outcome = correct.astype(np.float64)
    return (outcome - outcome.mean()) * count / (count - 1)


def outcome_weights(correct: Bool[np.ndarray, " R"]) -> Float64[np.ndarray, "4 R"]:
    """Return the weight of each rollout's grad log-probability in v of each quarter: its advantage there over the size.

    Raises:
        ValueError: a quarter has fewer than two rollouts.
    """
    quarters = quarter_of(len(correct))
    weights = np.zeros((QUARTERS, len(correct)))
    for quarter in range(QUARTERS):
        own = quarters == quarter
        weights[quarter, own] = advantages(correct[own]) / own.sum()
    return weights


def inner_products(
    moves: Float[np.ndarray, "K N V"], gradients: Float[np.ndarray, "P N V"]
) -> Float64[np.ndarray, "K P N"]:
    """Return <dz(u), g_D(u)> of each direction, gradient and node.

    Args:
        moves: movement of the student's logits along each direction, or of its log-probabilities, which differs by a
            constant per node that gradients, whose components sum to 0, do not see.
        gradients: ascent direction of each pair of teacher and objective.
    """
    by_node = moves.astype(np.float64).transpose(1, 0, 2) @ gradients.astype(np.float64).transpose(1, 2, 0)
    return by_node.transpose(1, 2, 0)
