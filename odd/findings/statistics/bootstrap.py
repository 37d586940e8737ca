"""Means over nodes, their differences and their correlations, with uncertainty over questions.

Scores of one question share its rollouts and its tree, so they are not independent: intervals and p-values come from a
bootstrap over *questions* (method §7). Undefined scores (NaN) are left out, and n says how many were left.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Real, Shaped

RESAMPLES = 2000
"""Bootstrap samples behind an interval."""
FLAT = 1e-12
"""Variance, as a share of the mean square, that is only rounding."""


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap interval.

    Attributes:
        value: NaN if nothing is defined.
        low: lower end; NaN with fewer than two clusters.
        high: upper end.
        n: defined values.
        clusters: questions that have any.
        p: two-sided p-value of the bootstrap against the null value; NaN with fewer than two clusters.
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

    The mean is `weights=None`; the fraction positive is the mean of `positive(values)`; the range-weighted cosine takes
    the success range as weights. The paper prints no formula for the latter; this is the natural reading.

    Args:
        values: scores; NaN is left out.
        clusters: question of each score, any sortable type.
        rng: source of randomness, or a seed: its draws are remembered and shared by all with as many clusters.
        weights: >= 0; NaN is left out.
        resamples: bootstrap samples; those without weight are left out.
        level: of the interval.
        null: value that the p-value is against.
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
        rng: source of randomness, or a seed.
        resamples: bootstrap samples; those without spread are left out.
        level: of the interval.

    Returns:
        NaN where either has no spread.
    """
    defined = ~(np.isnan(x) | np.isnan(y))
    x, y, names = x[defined].astype(np.float64), y[defined].astype(np.float64), clusters[defined]
    every, which = _numbered(names)
    count = len(every)
    products = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    # bincount of nothing is in whole numbers, whatever the weights
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
    """The weighted mean of each cluster that has one; arguments as for `cluster_bootstrap`."""
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
        below: denominator of each.
        n: values behind it.
        rng: source of randomness, or a seed.
        resamples: bootstrap samples; those without denominator are left out.
        level: of the interval.
        null: value that the p-value is against.
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
    """Values, weights, clusters and what else goes with them, where values and weights are defined."""
    w = np.ones(len(values)) if weights is None else weights.astype(np.float64)
    defined = ~(np.isnan(values) | np.isnan(w))
    return [column[defined] for column in (values.astype(np.float64), w, clusters, *others)]


def _numbered(names: Shaped[np.ndarray, " N"]) -> tuple[Shaped[np.ndarray, " C"], Int64[np.ndarray, " N"]]:
    """Distinct clusters in order, and the number of each score's cluster."""
    if names.dtype.kind == "i" and 0 <= names.min(initial=0) <= names.max(initial=0) <= len(names):
        seen = np.bincount(names) > 0  # numbers of questions need no sorting
        return np.flatnonzero(seen), (np.cumsum(seen) - 1)[names]
    return np.unique(names, return_inverse=True)


def _sums(
    x: Float64[np.ndarray, " N"], w: Float64[np.ndarray, " N"], which: Int64[np.ndarray, " N"], count: int
) -> tuple[Real[np.ndarray, " C"], Real[np.ndarray, " C"]]:
    """Per cluster, the sum of w x and the sum of w."""
    return np.bincount(which, weights=w * x, minlength=count), np.bincount(which, weights=w, minlength=count)


def _draws(count: int, rng: np.random.Generator | int, resamples: int) -> Float64[np.ndarray, "B C"]:
    """How often each bootstrap sample holds each cluster; as fractions, which matrix products want."""
    if isinstance(rng, int):
        return _remembered_draws(count, rng, resamples)
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


@lru_cache(maxsize=8)
def _remembered_draws(count: int, seed: int, resamples: int) -> Float64[np.ndarray, "B C"]:
    drawn = _draws(count, np.random.default_rng(seed), resamples)
    drawn.setflags(write=False)
    return drawn


def _correlation(sums: Float64[np.ndarray, "6 *B"]) -> Float64[np.ndarray, "*B"]:  # noqa: F821
    """Pearson's r from the sums of 1, x, y, x², y² and xy; NaN without spread, up to rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n, x, y, xx, yy, xy = sums
        spread_x, spread_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
        r = (xy / n - x * y / n**2) / np.sqrt(spread_x * spread_y)
        flat = (spread_x <= FLAT * xx / n) | (spread_y <= FLAT * yy / n)
    return np.where(flat, np.nan, np.clip(r, -1.0, 1.0))


def _estimate(
    value: float, resampled: Float64[np.ndarray, " B"], n: int, clusters: int, level: float, null: float
) -> Estimate:
    """The estimate with what its bootstrap samples say of it."""
    defined = resampled[~np.isnan(resampled)]
    return Estimate(value, *_interval(defined, level), n, clusters, _p_value(defined, null))


def _p_value(defined: Float64[np.ndarray, " B"], null: float) -> float:
    """Twice the smaller share of samples on either side of the null value, never 0: where the interval ends at it."""
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
