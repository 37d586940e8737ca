"""Summaries over nodes with uncertainty over questions.

Scores of one question share its rollouts and its tree, so they are not independent: intervals come from a
bootstrap over *questions* (method §7). Undefined scores (NaN) are left out, and n says how many were left.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Shaped


@dataclass(frozen=True)
class Estimate:
    """A weighted mean with its bootstrap interval.

    Attributes:
        value: NaN if nothing is defined.
        low: lower end; NaN with fewer than two clusters.
        high: upper end.
        n: defined values.
        clusters: questions that have any.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int


def cluster_bootstrap(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    rng: np.random.Generator,
    weights: Float[np.ndarray, " N"] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Weighted mean sum(w x) / sum(w), with a percentile interval from resampling whole clusters.

    The mean is `weights=None`; the fraction positive is the mean of `positive(values)`; the range-weighted cosine takes
    the success range as weights. The paper prints no formula for the latter; this is the natural reading.

    Args:
        values: scores; NaN is left out.
        clusters: question of each score, any sortable type.
        rng: source of randomness.
        weights: >= 0; NaN is left out.
        resamples: bootstrap samples; those without weight are left out.
        level: of the interval.
    """
    w = np.ones(len(values)) if weights is None else weights.astype(np.float64)
    defined = ~(np.isnan(values) | np.isnan(w))
    names, which = np.unique(clusters[defined], return_inverse=True)
    w, x = w[defined], values[defined].astype(np.float64)
    numerator = np.bincount(which, weights=w * x, minlength=len(names))
    denominator = np.bincount(which, weights=w, minlength=len(names))
    value = _ratio(float(numerator.sum()), float(denominator.sum()))
    if len(names) < 2:
        return Estimate(value, np.nan, np.nan, len(x), len(names))
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = (drawn @ numerator) / (drawn @ denominator)
    if np.isnan(resampled).all():
        return Estimate(value, np.nan, np.nan, len(x), len(names))
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high), len(x), len(names))


def positive(values: Float[np.ndarray, "*B"]) -> Float64[np.ndarray, "*B"]:
    """1 where positive, 0 where not, NaN where undefined."""
    return np.where(np.isnan(values), np.nan, values > 0)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else float("nan")
