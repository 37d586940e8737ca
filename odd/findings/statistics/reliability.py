"""How far scores can be trusted: what half of the rollouts says of the whole, and what more of them would settle."""

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import ndtr

Z = 1.959963984540054
"""Of a two-sided 95% interval."""


def spearman_brown(r: Float[np.ndarray, "*B"] | float) -> Float64[np.ndarray, "*B"]:
    """Reliability of the whole from the correlation of its two halves, 2 r / (1 + r).

    Where r is negative there is no reliability to speak of; the formula is kept from falling below -1.
    """
    r = np.asarray(r, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.maximum(2 * r / (1 + r), -1.0))


def settled_probability(z: Float[np.ndarray, " N"], factor: float) -> Float64[np.ndarray, " N"]:
    """Probability that a sign is settled once there are `factor` times as many rollouts.

    What is estimated has the posterior N(m, s²), z = m / s. With the posterior for its prior, the mean after f times
    as many rollouts is N(m, s² (1 - 1/f)) and its standard deviation s / √f: the sign is settled if that mean lies
    more than 1.96 s / √f from 0.

    Args:
        z: of each sign; NaN stays.
        factor: f, at least 1; 1 says what is settled now.
    """
    threshold, spread = Z / np.sqrt(factor), np.sqrt(1 - 1 / factor)
    if spread == 0:
        return np.where(np.isnan(z), np.nan, np.abs(z) > threshold)
    return np.asarray(ndtr((z - threshold) / spread) + ndtr((-z - threshold) / spread))


def factor_for(z: Float[np.ndarray, " N"], share: float, most: float = 1e6) -> float:
    """How many times as many rollouts settle this share of the signs, as expected; NaN if `most` do not.

    Args:
        z: of the signs.
        share: of them, 0 to 1.
        most: factor beyond which it is not looked for.
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
