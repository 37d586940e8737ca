"""Which (node, token) pairs of a path deserve targeted rollouts (method §5, steps 3-4).

Dimension letters as in `odd.method.logspace`. A path is a sequence of T response tokens; position t is the node before
token t. A pair is a candidate when P_theta > tau or P_te > tau for any teacher. In each depth window the `n_gradient`
best by |P_theta^j (l_j - mean l)| are chosen, then the `n_difference` best of the others by |P_te^j - P_theta^j|;
with several teachers a pair's score is the largest. Without teachers pairs are ranked by P_theta (1 - P_theta), which
favours tokens that compete with others of the same weight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64, Int64

from odd.method.gradients import forward_kl, reverse_kl

Criterion = Literal["gradient", "difference", "uncertainty"]


@dataclass(frozen=True)
class Pair:
    """A token to force at a node of a path.

    Attributes:
        position: t, the number of path tokens before it.
        token: the token to force.
        window: index of the depth window.
        criterion: what it was chosen for.
        teacher: the teacher with the largest score; None for `uncertainty`.
        value: that score.
    """

    position: int
    token: int
    window: int
    criterion: Criterion
    teacher: str | None
    value: float


@dataclass(frozen=True, eq=False)
class Candidates:
    """Candidate pairs of a path by ascending (position, token), with the scores of each teacher (M rows).

    A teacher that does not report a token (P_te unknown) scores 0 there.
    """

    positions: Int64[np.ndarray, " C"]
    tokens: Int64[np.ndarray, " C"]
    gradient: Float64[np.ndarray, "M C"]
    difference: Float64[np.ndarray, "M C"]
    uncertainty: Float64[np.ndarray, " C"]


def candidates(
    log_p: Float[np.ndarray, "T V"], log_q: Mapping[str, Float[np.ndarray, "T V"]], tau: float
) -> Candidates:
    """Find and score the candidate pairs of a path.

    Args:
        log_p: student log-probabilities before each token of the path.
        log_q: the same of each teacher; -inf is unknown.
        tau: candidates need a probability above it.
    """
    threshold = np.log(tau) if tau > 0 else -np.inf
    likely = log_p > threshold
    for log_te in log_q.values():
        likely |= log_te > threshold
    positions, tokens = np.nonzero(likely)
    gradient, difference = np.zeros((2, len(log_q), len(positions)))
    bounds = np.searchsorted(positions, np.arange(len(log_p) + 1))
    for t, (start, stop) in enumerate(pairwise(bounds.tolist())):
        chosen = tokens[start:stop]
        for m, log_te in enumerate(log_q.values()):
            gradient[m, start:stop] = np.abs(reverse_kl(log_p[t], log_te[t]))[chosen]
            difference[m, start:stop] = np.abs(forward_kl(log_p[t], log_te[t]))[chosen]
    p = np.exp(log_p[positions, tokens], dtype=np.float64)
    return Candidates(
        positions=positions.astype(np.int64),
        tokens=tokens.astype(np.int64),
        gradient=np.nan_to_num(gradient),
        difference=np.nan_to_num(difference),
        uncertainty=p * (1 - p),
    )


def choose_pairs(
    log_p: Float[np.ndarray, "T V"],
    log_q: Mapping[str, Float[np.ndarray, "T V"]],
    windows: Sequence[tuple[int, int]],
    tau: float,
    n_gradient: int,
    n_difference: int,
) -> list[Pair]:
    """Choose the pairs of a path to enrich.

    Args:
        log_p: student log-probabilities before each token of the path.
        log_q: the same by teacher name; may be empty.
        windows: half-open position ranges, see `odd.method.tree.depth_windows`.
        tau: candidates need a probability above it.
        n_gradient: pairs a window by gradient.
        n_difference: pairs a window by difference; without teachers n_gradient + n_difference by uncertainty.

    Returns:
        Pairs by window, then by criterion, then by falling value; equal values by (position, token). No pair twice.
    """
    found = candidates(log_p, log_q, tau)
    names = list(log_q)
    plan: list[tuple[Criterion, np.ndarray, int]] = [
        ("uncertainty", found.uncertainty[None], n_gradient + n_difference)
    ]
    if names:
        plan = [("gradient", found.gradient, n_gradient), ("difference", found.difference, n_difference)]
    pairs: list[Pair] = []
    for window, (first, last) in enumerate(windows):
        left = np.flatnonzero((found.positions >= first) & (found.positions < last))
        for criterion, scores, wanted in plan:
            best = left[np.argsort(-scores[:, left].max(axis=0), kind="stable")][:wanted]
            left = np.setdiff1d(left, best)
            for i in best.tolist():
                teacher = names[int(scores[:, i].argmax())] if names else None
                place = int(found.positions[i]), int(found.tokens[i])
                pairs.append(Pair(*place, window, criterion, teacher, float(scores[:, i].max())))
    return pairs
