"""Choice of the (node, token) pairs of a path that get targeted rollouts (method §5, steps 3-4).

Dimension letters as in `odd.method.logspace`. A path is a sequence of T response tokens; position t is the node before
token t. A pair is a candidate if P_theta > tau or P_te > tau for any teacher. In each depth window the `n_gradient`
best by |P_theta^j (l_j - mean l)| are chosen, then the `n_difference` best of the others by |P_te^j - P_theta^j|; with
several teachers the largest score of a pair is used. Without teachers, pairs are ranked by P_theta (1 - P_theta), which
favours tokens that compete with others of similar probability.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from odd.method.node_signal import NodeRows
from odd.method.objectives.forward_kl import ForwardKL
from odd.method.objectives.reverse_kl import ReverseKL

Criterion = Literal["gradient", "difference", "uncertainty"]


@dataclass(frozen=True)
class Pair:
    """A token to force at a node of a path.

    Attributes:
        position: t, the number of path tokens before it.
        token: the token to force.
        window: index of the depth window.
        criterion: criterion by which it was chosen.
        teacher: teacher with the largest score; None for `uncertainty`.
        value: the score.
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

    The score is 0 for a token that the teacher does not report (P_te unknown).
    """

    positions: Int64[np.ndarray, " C"]
    tokens: Int64[np.ndarray, " C"]
    gradient: Float64[np.ndarray, "M C"]
    difference: Float64[np.ndarray, "M C"]
    uncertainty: Float64[np.ndarray, " C"]


def candidates(rows: Sequence[NodeRows], guides: Sequence[int], tau: float) -> Candidates:
    """Find and score the candidate pairs of a path.

    Args:
        rows: rows of the node before each token of the path; they keep every token with a probability above tau.
        guides: indices of the M teachers in the rows that take part.
        tau: probability threshold for candidates.
    """
    threshold = np.log(tau) if tau > 0 else -np.inf
    parts = []
    for t, of_node in enumerate(rows):
        row = of_node[1.0]
        theirs = row.log_q.take(guides, axis=0)
        tokens = row.tokens[(row.log_p > threshold) | (theirs > threshold).any(axis=0)]
        gradient, difference = (
            np.abs(one.at(of_node, tokens, None)).take(guides, axis=0) for one in (ReverseKL(), ForwardKL())
        )
        p = np.exp(row.at(tokens)[0])
        parts.append((np.full(len(tokens), t), tokens, gradient, difference, p * (1 - p)))
    if not parts:
        nothing = np.empty((len(guides), 0))
        parts = [(np.empty(0, np.int64), np.empty(0, np.int64), nothing, nothing, np.empty(0))]
    positions, tokens, gradient, difference, uncertainty = (
        np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)
    )
    return Candidates(positions, tokens, np.nan_to_num(gradient), np.nan_to_num(difference), uncertainty)


def choose_pairs(
    rows: Sequence[NodeRows],
    guides: Mapping[str, int],
    windows: Sequence[tuple[int, int]],
    tau: float,
    n_gradient: int,
    n_difference: int,
) -> list[Pair]:
    """Choose the pairs of a path that get targeted rollouts.

    Args:
        rows: rows of the node before each token of the path.
        guides: teachers that take part, by name, with their index in the rows; may be empty.
        windows: half-open position ranges, see `odd.method.tree.depth_windows`.
        tau: probability threshold for candidates.
        n_gradient: pairs per window by gradient.
        n_difference: pairs per window by difference; without teachers n_gradient + n_difference by uncertainty.

    Returns:
        Distinct pairs by window, then criterion, then descending value; ties by (position, token).
    """
    found = candidates(rows, list(guides.values()), tau)
    names = list(guides)
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
