"""Summaries over nodes with uncertainty over questions.

Scores of one question share its rollouts and its tree, so they are not independent: intervals come from a
bootstrap over *questions* (method §7). Undefined scores (NaN) are left out, and n says how many were left.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Real, Shaped


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
    rng: np.random.Generator | int,
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
        rng: source of randomness, or a seed: its draws are remembered and shared by all with as many clusters.
        weights: >= 0; NaN is left out.
        resamples: bootstrap samples; those without weight are left out.
        level: of the interval.
    """
    x, w, names = _defined(values, clusters, weights)
    every, which = np.unique(names, return_inverse=True)
    count = len(every)
    numerator, denominator = _sums(x, w, which, count)
    value = _ratio(float(numerator.sum()), float(denominator.sum()))
    if count < 2:
        return Estimate(value, np.nan, np.nan, len(x), count)
    drawn = _draws(count, rng, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = (drawn @ numerator) / (drawn @ denominator)
    return Estimate(value, *_interval(resampled, level), len(x), count)


def cluster_difference(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    group: Bool[np.ndarray, " N"],
    rng: np.random.Generator | int,
    weights: Float[np.ndarray, " N"] | None = None,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Weighted mean of the scores in a group minus that of the others, both resampled by the same clusters.

    Arguments as for `cluster_bootstrap`, but for:

    Args:
        values: scores; NaN is left out.
        clusters: question of each score.
        group: which scores are in the group.
        rng: source of randomness, or a seed.
        weights: >= 0; NaN is left out.
        resamples: bootstrap samples; those in which a side has no weight are left out.
        level: of the interval.

    Returns:
        The difference; `clusters` counts those that have scores on both sides, the interval comes from all.
    """
    x, w, names, inside = _defined(values, clusters, weights, group)
    every, which = np.unique(names, return_inverse=True)
    count = len(every)
    sides = [_sums(x[side], w[side], which[side], count) for side in (inside, ~inside)]
    both = len(np.intersect1d(names[inside], names[~inside]))
    first, second = (_ratio(float(above.sum()), float(below.sum())) for above, below in sides)
    if both < 2:
        return Estimate(first - second, np.nan, np.nan, len(x), both)
    drawn = _draws(count, rng, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = ((drawn @ above) / (drawn @ below) for above, below in sides)
    return Estimate(first - second, *_interval(one - other, level), len(x), both)


def positive(values: Float[np.ndarray, "*B"]) -> Float64[np.ndarray, "*B"]:
    """1 where positive, 0 where not, NaN where undefined."""
    return np.where(np.isnan(values), np.nan, values > 0)


def _defined(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    weights: Float[np.ndarray, " N"] | None,
    *others: Shaped[np.ndarray, " N"],
) -> list[np.ndarray]:
    """Values, weights, clusters and what else goes with them, where values and weights are defined."""
    w = np.ones(len(values)) if weights is None else weights.astype(np.float64)
    defined = ~(np.isnan(values) | np.isnan(w))
    return [column[defined] for column in (values.astype(np.float64), w, clusters, *others)]


def _sums(
    x: Float64[np.ndarray, " N"], w: Float64[np.ndarray, " N"], which: Int64[np.ndarray, " N"], count: int
) -> tuple[Real[np.ndarray, " C"], Real[np.ndarray, " C"]]:
    """Per cluster, the sum of w x and the sum of w."""
    return np.bincount(which, weights=w * x, minlength=count), np.bincount(which, weights=w, minlength=count)


def _draws(count: int, rng: np.random.Generator | int, resamples: int) -> Int64[np.ndarray, "B C"]:
    """How often each bootstrap sample holds each cluster."""
    if isinstance(rng, int):
        return _remembered_draws(count, rng, resamples)
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples)


@lru_cache(maxsize=8)
def _remembered_draws(count: int, seed: int, resamples: int) -> Int64[np.ndarray, "B C"]:
    drawn = _draws(count, np.random.default_rng(seed), resamples)
    drawn.setflags(write=False)
    return drawn


def _interval(resampled: Float64[np.ndarray, " B"], level: float) -> tuple[float, float]:
    """Percentiles of what is defined."""
    if np.isnan(resampled).all():
        return float("nan"), float("nan")
    low, high = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else float("nan")
