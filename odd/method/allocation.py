"""Where the next targeted rollouts go, seen what the others came to (method §5, beyond).

Every pair is first brought to a floor of visits. From then on rollouts go where they lower the variance of the ideal
gradients most for a token: P_theta^2 P̂ (1 - P̂) / N, which is Neyman's allocation with costs (J. Royal Stat. Soc. 97,
1934), in steps. Nodes where the sign of every teacher is settled get no more. Outcomes choose nodes and how much is
spent, never which child looks best, so that means stay nearly unbiased.

Dimension letters as in `odd.method.logspace`; a node has K children that are looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer, Real

from odd.method.alignment import posterior_alignment
from odd.method.gradients import ideal_gradient
from odd.method.sibling_prior import fit_sibling_prior

SETTLED = 0.025
"""A sign is settled once the probability of the other one is below this."""
SIGN_DRAWS = 400
CHILDREN_FOR_A_SIGN = 2


@dataclass(frozen=True, eq=False)
class TargetNode:
    """A node some of whose children are forced.

    Attributes:
        prefix: response tokens up to it.
        tokens: the children that are looked at, (K,).
        p: P_theta of each.
        gradients: of each teacher at each, (M, K).
        pairs: number of the pair that forces each; -1 where none does.
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
    """How many of the next rollouts each pair gets; none at all once every sign is settled.

    Args:
        nodes: all nodes with pairs.
        successes: on-policy, of the children of each node.
        visits: the same.
        cost: tokens that a rollout of each pair takes, about.
        size: rollouts to give away, at most.
        floor: visits that each pair is brought to first.
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
    """Nodes with a score whose sign is not settled."""
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
    """Whether every teacher that has a gradient has a sign; without teachers nothing ever is."""
    if not len(gradients):
        return False
    positive = posterior_alignment(ideal_draws, gradients).p_positive
    return bool((np.isnan(positive) | (positive < SETTLED) | (positive > 1 - SETTLED)).all())


def in_steps(worth: Float[np.ndarray, " P"], visits: Real[np.ndarray, " P"], size: int) -> Int64[np.ndarray, " P"]:
    """Rollouts, one after another, to where the variance, worth / visits, falls most; none if nothing is worth any.

    Args:
        worth: by what the variance falls with 1 / visits, for a token.
        visits: so far, at least 1.
        size: rollouts to give away.
    """
    extra = np.zeros(len(worth), dtype=np.int64)
    for _ in range(size if worth.any() else 0):
        extra[np.argmax(worth / ((visits + extra) * (visits + extra + 1)))] += 1
    return extra
