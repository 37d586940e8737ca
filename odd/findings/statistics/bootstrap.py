"""Means over nodes, their differences and their correlations, with uncertainty over questions.

Scores of one question share its rollouts and its tree, so they are not independent: intervals and p-values come from a
bootstrap over *questions* (method §7). Undefined scores (NaN) are left out; n counts the others.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Real, Shaped

RESAMPLES = 2000
"""Bootstrap samples per interval."""
FLAT = 1e-12
"""Variance relative to the mean square below which it is rounding error."""


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap interval.

    Attributes:
        value: NaN if nothing is defined.
        low: lower end; NaN with fewer than two clusters.
        high: upper end.
        n: number of defined values.
        clusters: number of questions with any.
        p: two-sided bootstrap p-value against the null value; NaN with fewer than two clusters.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int
    p: float = np.nan


def cluster_bootstrap(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    rng: np.random.Generator | int,
    weights: Float[np.ndarray, " N"] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    null: float = 0.0,
) -> Estimate:
    """Weighted mean sum(w x) / sum(w), with a percentile interval from resampling whole clusters.

    `weights=None` gives the plain mean; the fraction positive is the mean of `positive(values)`; the range-weighted
    cosine uses the success range as weights. The paper prints no formula for the latter; this is the natural reading.

    Args:
        values: scores; NaN is left out.
        clusters: question of each score, any sortable type.
        rng: generator, or a seed: draws from a seed are cached and shared by all calls with as many clusters.
        weights: >= 0; NaN is left out.
        resamples: bootstrap samples; those with zero total weight are left out.
        level: coverage of the interval.
        null: null value of the p-value.
    """
    x, w, names = _defined(values, clusters, weights)
    every, which = _numbered(names)
    count = len(every)
    numerator, denominator = _sums(x, w, which, count)
    value = _ratio(float(numerator.sum()), float(denominator.sum()))
    if count < 2:
        return Estimate(value, np.nan, np.nan, len(x), count)
    drawn = _draws(count, rng, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = (drawn @ numerator) / (drawn @ denominator)
    return _estimate(value, resampled, len(x), count, level, null)


def cluster_difference(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    group: Bool[np.ndarray, " N"],
    rng: np.random.Generator | int,
    weights: Float[np.ndarray, " N"] | None = None,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Estimate:
    """Weighted mean of the scores in a group minus that of the rest, both from the same resampled clusters.

    Args:
        values: scores; NaN is left out.
        clusters: question of each score.
        group: which scores are in the group.
        rng: generator or seed.
        weights: >= 0; NaN is left out.
        resamples: bootstrap samples; those with zero weight on either side are left out.
        level: coverage of the interval.

    Returns:
        The difference; `clusters` counts clusters with scores on both sides, the interval uses all clusters.
    """
    x, w, names, inside = _defined(values, clusters, weights, group)
    every, which = _numbered(names)
    count = len(every)
    sides = [_sums(x[side], w[side], which[side], count) for side in (inside, ~inside)]
    both = len(np.intersect1d(names[inside], names[~inside]))
    first, second = (_ratio(float(above.sum()), float(below.sum())) for above, below in sides)
    if both < 2:
        return Estimate(first - second, np.nan, np.nan, len(x), both)
    drawn = _draws(count, rng, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = ((drawn @ above) / (drawn @ below) for above, below in sides)
    return _estimate(first - second, one - other, len(x), both, level, 0.0)


def cluster_correlation(
    x: Float[np.ndarray, " N"],
    y: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    rng: np.random.Generator | int,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Estimate:
    """Pearson's correlation of two scores, with an interval from resampling whole clusters.

    Args:
        x: scores; pairs with a NaN are left out.
        y: other scores of the same nodes.
        clusters: question of each.
        rng: generator or seed.
        resamples: bootstrap samples; those with a constant score are left out.
        level: coverage of the interval.

    Returns:
        The correlation; its value is NaN if either score is constant.
    """
    defined = ~(np.isnan(x) | np.isnan(y))
    x, y, names = x[defined].astype(np.float64), y[defined].astype(np.float64), clusters[defined]
    every, which = _numbered(names)
    count = len(every)
    products = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    # bincount of an empty array returns integers even with weights
    sums = np.stack([np.bincount(which, weights=row, minlength=count) for row in products]).astype(np.float64)
    value = float(_correlation(sums.sum(axis=1)))
    if count < 2:
        return Estimate(value, np.nan, np.nan, len(x), count)
    resampled = _correlation(sums @ _draws(count, rng, resamples).T)
    return _estimate(value, resampled, len(x), count, level, 0.0)


def cluster_means(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    weights: Float[np.ndarray, " N"] | None = None,
) -> dict[Any, float]:
    """Weighted mean of each cluster that has one; arguments as for `cluster_bootstrap`."""
    x, w, names = _defined(values, clusters, weights)
    every, which = _numbered(names)
    above, below = _sums(x, w, which, len(every))
    return {name: float(a / b) for name, a, b in zip(every.tolist(), above, below, strict=True) if b > 0}


def ratio_bootstrap(
    above: Float[np.ndarray, "C C"],
    below: Float[np.ndarray, "C C"],
    n: int,
    rng: np.random.Generator | int,
    resamples: int = RESAMPLES,
    level: float = 0.95,
    null: float = 0.0,
) -> Estimate:
    """Ratio of two sums over pairs of clusters, with an interval from resampling whole clusters.

    Args:
        above: numerator of each ordered pair of clusters.
        below: denominator of each ordered pair.
        n: number of values behind the ratio.
        rng: generator or seed.
        resamples: bootstrap samples; those with a zero denominator are left out.
        level: coverage of the interval.
        null: null value of the p-value.
    """
    value, count = _ratio(float(above.sum()), float(below.sum())), len(above)
    if count < 2:
        return Estimate(value, np.nan, np.nan, n, count)
    drawn = _draws(count, rng, resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = ((drawn @ above) * drawn).sum(axis=1) / ((drawn @ below) * drawn).sum(axis=1)
    return _estimate(value, resampled, n, count, level, null)


def positive(values: Float[np.ndarray, "*B"]) -> Float64[np.ndarray, "*B"]:
    """1 where positive, 0 where not, NaN where undefined."""
    return np.where(np.isnan(values), np.nan, values > 0)


def _defined(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    weights: Float[np.ndarray, " N"] | None,
    *others: Shaped[np.ndarray, " N"],
) -> list[np.ndarray]:
    """Values, weights, clusters and further columns, at rows with defined value and weight."""
    w = np.ones(len(values)) if weights is None else weights.astype(np.float64)
    defined = ~(np.isnan(values) | np.isnan(w))
    return [column[defined] for column in (values.astype(np.float64), w, clusters, *others)]


def _numbered(names: Shaped[np.ndarray, " N"]) -> tuple[Shaped[np.ndarray, " C"], Int64[np.ndarray, " N"]]:
    """Distinct clusters in order, and the index of each score's cluster."""
    if names.dtype.kind == "i" and 0 <= names.min(initial=0) <= names.max(initial=0) <= len(names):
        seen = np.bincount(names) > 0  # small integers such as question numbers need no sort
        return np.flatnonzero(seen), (np.cumsum(seen) - 1)[names]
    return np.unique(names, return_inverse=True)


def _sums(
    x: Float64[np.ndarray, " N"], w: Float64[np.ndarray, " N"], which: Int64[np.ndarray, " N"], count: int
) -> tuple[Real[np.ndarray, " C"], Real[np.ndarray, " C"]]:
    """Per cluster, the sum of w x and the sum of w."""
    return np.bincount(which, weights=w * x, minlength=count), np.bincount(which, weights=w, minlength=count)


def _draws(count: int, rng: np.random.Generator | int, resamples: int) -> Float64[np.ndarray, "B C"]:
    """How often each bootstrap sample contains each cluster; float64, for matrix products."""
    if isinstance(rng, int):
        return _remembered_draws(count, rng, resamples)
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


@lru_cache(maxsize=8)
def _remembered_draws(count: int, seed: int, resamples: int) -> Float64[np.ndarray, "B C"]:
    drawn = _draws(count, np.random.default_rng(seed), resamples)
    drawn.setflags(write=False)
    return drawn


def _correlation(sums: Float64[np.ndarray, "6 *B"]) -> Float64[np.ndarray, "*B"]:  # noqa: F821
    """Pearson's r from the sums of 1, x, y, x², y² and xy; NaN if x or y is constant up to rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n, x, y, xx, yy, xy = sums
        spread_x, spread_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
        r = (xy / n - x * y / n**2) / np.sqrt(spread_x * spread_y)
        flat = (spread_x <= FLAT * xx / n) | (spread_y <= FLAT * yy / n)
    return np.where(flat, np.nan, np.clip(r, -1.0, 1.0))


def _estimate(
    value: float, resampled: Float64[np.ndarray, " B"], n: int, clusters: int, level: float, null: float
) -> Estimate:
    """Build an estimate from its value and bootstrap samples."""
    defined = resampled[~np.isnan(resampled)]
    return Estimate(value, *_interval(defined, level), n, clusters, _p_value(defined, null))


def _p_value(defined: Float64[np.ndarray, " B"], null: float) -> float:
    """Twice the smaller tail of samples beyond the null value, never 0: 1 - the level whose interval ends there."""
    if not len(defined):
        return float("nan")
    tail = min(int((defined <= null).sum()), int((defined >= null).sum()))
    return min(1.0, 2 * (tail + 1) / (len(defined) + 1))


def _interval(defined: Float64[np.ndarray, " B"], level: float) -> tuple[float, float]:
    """Percentiles of the samples."""
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else float("nan")
