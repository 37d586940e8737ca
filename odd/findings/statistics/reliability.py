"""Reliability of scores: from two halves of the rollouts, and as expected with more rollouts."""

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import ndtr

Z = 1.959963984540054
"""Quantile of a two-sided 95% interval."""


def spearman_brown(r: Float[np.ndarray, "*B"] | float) -> Float64[np.ndarray, "*B"]:
    """Reliability of all rollouts from the correlation of two halves, 2 r / (1 + r).

    If r is negative, there is no reliability to speak of; the result is clipped at -1.
    """
    r = np.asarray(r, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.maximum(2 * r / (1 + r), -1.0))


def settled_probability(z: Float[np.ndarray, " N"], factor: float) -> Float64[np.ndarray, " N"]:
    """Probability that a sign is settled with `factor` times as many rollouts.

    The score has the posterior N(m, s²), z = m / s. With this posterior as the prior, the posterior mean after f times
    as many rollouts is distributed as N(m, s² (1 - 1/f)), with posterior standard deviation s / √f. The sign is settled
    if that mean is more than 1.96 s / √f from 0.

    Args:
        z: z of each score; NaN stays NaN.
        factor: f, at least 1; 1 gives what is settled now.
    """
    threshold, spread = Z / np.sqrt(factor), np.sqrt(1 - 1 / factor)
    if spread == 0:
        return np.where(np.isnan(z), np.nan, np.abs(z) > threshold)
    return np.asarray(ndtr((z - threshold) / spread) + ndtr((-z - threshold) / spread))


def factor_for(z: Float[np.ndarray, " N"], share: float, most: float = 1e6) -> float:
    """Smallest factor of rollouts that is expected to settle this share of the signs; NaN if above `most`.

    Args:
        z: z of each score.
        share: share of the signs, 0 to 1.
        most: upper limit of the search.
    """
    z = z[~np.isnan(z)]
    if not len(z) or settled_probability(z, most).mean() < share:
        return float("nan")
    low, high = 1.0, most
    if settled_probability(z, low).mean() >= share:
        return low
    while high / low > 1.001:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if settled_probability(z, middle).mean() >= share else (middle, high)
    return high
