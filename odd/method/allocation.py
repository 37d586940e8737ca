"""Where the next targeted rollouts go, given the results so far (method §5, beyond).

Every pair first gets a minimum number of visits. After that, rollouts go where they most reduce the variance of the
ideal gradients per token, P_theta^2 P̂ (1 - P̂) / N: Neyman's allocation with costs (J. Royal Stat. Soc. 97, 1934), in
steps. Nodes where the sign of every teacher is settled get no more. Outcomes decide on nodes and amounts, never on the
child that looks best, so means stay nearly unbiased.

Dimension letters as in `odd.method.logspace`; K is the number of children considered at a node.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer, Real

from odd.method.alignment import posterior_alignment
from odd.method.gradients import ideal_gradient
from odd.method.sibling_prior import fit_sibling_prior

SETTLED = 0.025
"""A sign is settled if the probability of the opposite sign is below this."""
SIGN_DRAWS = 400
CHILDREN_FOR_A_SIGN = 2


@dataclass(frozen=True, eq=False)
class TargetNode:
    """A node with some forced children.

    Attributes:
        prefix: response tokens up to the node.
        tokens: token ids of the children considered, (K,).
        p: P_theta of each child.
        gradients: gradient of each teacher at each child, (M, K).
        pairs: index of the pair that forces each child; -1 if none does.
    """

    prefix: tuple[int, ...]
    tokens: Int64[np.ndarray, " K"]
    p: Float64[np.ndarray, " K"]
    gradients: Float64[np.ndarray, "M K"]
    pairs: Int64[np.ndarray, " K"]


def next_launches(
    nodes: Sequence[TargetNode],
    successes: Sequence[Real[np.ndarray, " _"]],
    visits: Sequence[Integer[np.ndarray, " _"]],
    cost: Float[np.ndarray, " P"],
    size: int,
    floor: int,
    rng: np.random.Generator,
) -> Int64[np.ndarray, " P"]:
    """Return how many of the next rollouts each pair gets; all zero when every sign is settled.

    Args:
        nodes: all nodes with pairs.
        successes: on-policy successes of the children of each node.
        visits: on-policy visits of the children of each node.
        cost: approximate tokens per rollout of each pair.
        size: maximum number of rollouts to allocate.
        floor: visits that each pair gets first.
        rng: source of randomness.
    """
    missing = np.zeros(len(cost), dtype=np.int64)
    for node, seen in zip(nodes, visits, strict=True):
        forced = node.pairs >= 0
        missing[node.pairs[forced]] = np.maximum(0, floor - seen[forced])
    if missing.any():
        return np.diff(np.minimum(missing.cumsum(), size), prepend=0)
    worth, have = np.zeros(len(cost)), np.ones(len(cost))
    for i in _open_nodes(nodes, successes, visits, rng):
        forced = nodes[i].pairs >= 0
        pairs, seen = nodes[i].pairs[forced], visits[i][forced]
        rate = (successes[i][forced] + 1) / (seen + 2)
        worth[pairs] = nodes[i].p[forced] ** 2 * rate * (1 - rate) / cost[pairs]
        have[pairs] = seen
    return in_steps(worth, have, size)


def _open_nodes(
    nodes: Sequence[TargetNode],
    successes: Sequence[np.ndarray],
    visits: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> list[int]:
    """Return the indices of nodes with a score whose sign is not settled."""
    of = np.repeat(np.arange(len(nodes)), [len(seen) for seen in visits])
    prior = fit_sibling_prior(np.concatenate(successes), np.concatenate(visits), of)
    found = []
    for i, (node, won, seen) in enumerate(zip(nodes, successes, visits, strict=True)):
        known = seen > 0
        if known.sum() < CHILDREN_FOR_A_SIGN:
            continue
        draws = prior.draws(won[known], seen[known], SIGN_DRAWS, rng)
        if not _settled(ideal_gradient(node.p[known], draws), node.gradients[:, known]):
            found.append(i)
    return found


def _settled(ideal_draws: Float[np.ndarray, "D K"], gradients: Float[np.ndarray, "M K"]) -> bool:
    """Return whether the sign of every teacher with a gradient is settled; always False without teachers."""
    if not len(gradients):
        return False
    positive = posterior_alignment(ideal_draws, gradients).p_positive
    return bool((np.isnan(positive) | (positive < SETTLED) | (positive > 1 - SETTLED)).all())


def in_steps(worth: Float[np.ndarray, " P"], visits: Real[np.ndarray, " P"], size: int) -> Int64[np.ndarray, " P"]:
    """Allocate rollouts one by one to where the variance, worth / visits, drops most; none if all worths are 0.

    Args:
        worth: numerator of the variance, per token of cost.
        visits: visits so far, at least 1.
        size: rollouts to allocate.
    """
    extra = np.zeros(len(worth), dtype=np.int64)
    for _ in range(size if worth.any() else 0):
        extra[np.argmax(worth / ((visits + extra) * (visits + extra + 1)))] += 1
    return extra
