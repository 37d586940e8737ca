"""Agreement of a teacher's gradient with the ideal one at a node (method §4).

Equation numbers are those of Armandpour et al., arXiv 2605.10889; dimension letters as in `odd.method.logspace`.
Undefined scores are NaN, never 0. `odd.method.node_signal` decides whether the gradients are over S_u alone or include
the rest.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

ZERO_NORM = 1e-7
"""Norm up to which a teacher's gradient counts as zero: about the rounding of float32 log-probabilities."""

ZERO_IDEAL = 1e-30
"""Norm up to which the ideal gradient counts as zero. It has no such rounding: it is exactly 0 where all children have
the same success, and may be as small as P_theta of an improbable child elsewhere, so only underflow is excluded."""


def cosine(ideal: Float[np.ndarray, "*#B K"], teacher: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B"]:
    """Compute Align(u) = <g_ideal, g_D> / (|g_ideal| |g_D|) (eq. 2.12); NaN where either gradient is zero.

    Zero means a norm of at most `ZERO_IDEAL` or `ZERO_NORM`, respectively.
    """
    norms = np.linalg.norm(ideal, axis=-1), np.linalg.norm(teacher, axis=-1)
    zero = (norms[0] <= ZERO_IDEAL) | (norms[1] <= ZERO_NORM)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (ideal * teacher).sum(axis=-1) / (norms[0] * norms[1])
    return np.asarray(np.where(zero, np.nan, np.clip(value, -1.0, 1.0)))


def gain(ideal: Float[np.ndarray, "*#B K"], teacher: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B"]:
    """Compute <g_ideal, g_D> / |g_D|, the first-order change of success per unit step; NaN if |g_D| <= `ZERO_NORM`."""
    norm = np.linalg.norm(teacher, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = (ideal * teacher).sum(axis=-1) / norm
    return np.asarray(np.where(norm <= ZERO_NORM, np.nan, value))


class PosteriorAlignment(NamedTuple):
    """95% interval of the alignment, and P(Align > 0); one entry per teacher gradient."""

    low: Float64[np.ndarray, "*B M"]
    high: Float64[np.ndarray, "*B M"]
    p_positive: Float64[np.ndarray, "*B M"]


def posterior_alignment(
    ideal_draws: Float[np.ndarray, "*B D K"], teacher: Float[np.ndarray, "*B M K"]
) -> PosteriorAlignment:
    """Compute the uncertainty of the alignment due to the estimation of P̂.

    Args:
        ideal_draws: `ideal_gradient` of posterior draws of P̂, including the rest if the components include it.
        teacher: gradient components of any number of teachers and objectives under the same convention.

    Returns:
        NaN for gradients that are zero or unknown; draws with a zero ideal gradient have no alignment and are excluded
        from its interval and from P(Align > 0).
    """
    ideal_norm = np.linalg.norm(ideal_draws, axis=-1)
    defined = ideal_norm > ZERO_IDEAL
    aligned = _gains(ideal_draws, teacher) / np.where(defined, ideal_norm, np.nan)[..., None, :]
    counted = np.asarray(defined.sum(axis=-1))
    with np.errstate(invalid="ignore"):
        positive = (aligned > 0).sum(axis=-1) / counted[..., None]
    low, high = np.clip(central_interval(aligned, counted), -1.0, 1.0)
    return PosteriorAlignment(low, high, np.where(np.isnan(low), np.nan, positive))


def posterior_gain(
    ideal_draws: Float[np.ndarray, "*B D K"], teacher: Float[np.ndarray, "*B M K"]
) -> Float64[np.ndarray, "2 *B M"]:
    """Return the ends of the 95% interval of the gain; arguments as for `posterior_alignment`."""
    return central_interval(_gains(ideal_draws, teacher))


def _gains(
    ideal_draws: Float[np.ndarray, "*B D K"], teacher: Float[np.ndarray, "*B M K"]
) -> Float64[np.ndarray, "*B M D"]:
    teacher_norm = np.linalg.norm(teacher, axis=-1, keepdims=True)
    unit = teacher / np.where(teacher_norm > ZERO_NORM, teacher_norm, np.nan)
    draws = np.ascontiguousarray(ideal_draws.swapaxes(-1, -2))  # contiguous draws: few children, many draws
    return np.einsum("...mk,...kd->...md", unit, draws)  # BLAS would sum in an order that depends on M


def central_interval(
    draws: Float64[np.ndarray, "*B M D"], counted: Int64[np.ndarray, "*B"] | None = None
) -> Float64[np.ndarray, "2 *B M"]:
    """Return the central 95% interval of the first `counted` entries of each row, after sorting it in place.

    None counts all of them. The remaining entries must be NaN. A row with any other NaN, or without entries, gives NaN.
    """
    if counted is None:
        counted = np.full(draws.shape[:-2], draws.shape[-1])
    draws.sort(axis=-1)  # NaN last; far faster than selecting a few entries
    last = np.maximum(counted - 1, 0)[..., None, None]
    exact = np.array([0.025, 0.975]) * last
    below = np.floor(exact).astype(np.int64)
    places = np.concatenate([below, np.minimum(below + 1, last), last], axis=-1)
    entries = np.take_along_axis(draws, places, axis=-1)
    part = exact - below
    ends = entries[..., :2] * (1 - part) + entries[..., 2:4] * part
    return np.moveaxis(np.where(np.isnan(entries[..., 4:]), np.nan, ends), -1, 0)


def teacher_advantage(
    p: Float[np.ndarray, "*#B K"],
    q: Float[np.ndarray, "*#B K"],
    success: Float[np.ndarray, "*#B K"],
    rest: Float[np.ndarray, "*#B"],
) -> Float64[np.ndarray, "*#B"]:
    """Compute Adv(u): success if the teacher chose the next token, minus V(u).

    Args:
        p: student probabilities of the children; renormalised on S_u they give eq. 2.1.
        q: teacher probabilities of the children, likewise; the result is NaN if one is unknown (NaN), or without
            children.
        success: P̂ of the children.
        rest: P̂ of all other tokens together, whoever chooses among them.
    """
    # q - p is the change of every child's share, and the rest changes by what is missing to 0
    change = ((q - p) * (success - rest[..., None])).sum(axis=-1)
    return np.asarray(np.where(p.shape[-1] > 0, change, np.nan))


def posterior_advantage(
    p: Float[np.ndarray, "*#B K"],
    q: Float[np.ndarray, "*#B M K"],
    success: Float[np.ndarray, "*#B D K"],
    rest: Float[np.ndarray, "*#B D"],
) -> Float64[np.ndarray, "2 *B M"]:
    """Return the ends of the 95% interval of the teacher advantage, from posterior draws of P̂.

    The student's rollouts say nothing about which other tokens the teacher would choose: these may all fail or all
    succeed.

    Args:
        p: student probabilities of the children.
        q: teacher probabilities of the children.
        success: draws of P̂ of the children.
        rest: draws of P̂ of all other tokens together, under the student.
    """
    own, theirs = (np.maximum(0.0, 1 - part.sum(axis=-1)) for part in (p, q))
    change = np.einsum("...mk,...dk->...md", q - p[..., None, :], success) - (own[..., None] * rest)[..., None, :]
    low, high = central_interval(np.ascontiguousarray(change))
    return np.stack([low, high + theirs])


def success_range(success: Float[np.ndarray, "*B K"]) -> Float64[np.ndarray, "*B"]:
    """Return the largest minus the smallest P̂ over S_u; NaN without children or with an unknown P̂."""
    if success.shape[-1] == 0:
        return np.full(success.shape[:-1], np.nan)
    return np.asarray(success.max(axis=-1) - success.min(axis=-1), dtype=np.float64)


def is_decision_point(success: Float[np.ndarray, "*B K"]) -> Bool[np.ndarray, "*B"]:
    """Return whether S_u has at least two children that do not all have the same P̂."""
    return np.asarray((success_range(success) > 0) & (success.shape[-1] >= 2))
