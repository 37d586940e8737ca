"""Means over nodes, their differences and their correlations, with uncertainty over questions.

Scores of one question share its rollouts and its tree, so they are not independent: the questions are the sample
(method §7). The standard error comes from leaving out one question at a time (the jackknife). The interval is Student's
t; its degrees of freedom are (C - 1) / C times the effective number of questions, (sum w)² / sum w² of their weights w,
which is C - 1 for equal weights. p-values are those of the exact sign-flip test on what each question contributes to
the distance from the null value, so with C questions they are at least 2^(1 - C). Undefined scores (NaN) are left out;
n counts the others.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Real, Shaped
from scipy.special import stdtrit

LEAST = 3
"""Questions that an interval and a p-value need at least."""
LEAST_VERDICT = 6
"""Questions that a verdict needs: with fewer, no p-value can be below 0.05."""
EXACT = 12
"""Number of questions up to which all signs are enumerated; beyond it, `FLIPS` are drawn, always the same."""
FLIPS = 4000
FLAT = 1e-12
"""Variance relative to the mean square below which it is rounding error."""
ANY = (-np.inf, np.inf)
SHARE = (0.0, 1.0)
COSINE = (-1.0, 1.0)


@dataclass(frozen=True)
class Estimate:
    """A number with its interval over questions.

    Attributes:
        value: NaN if nothing is defined.
        low: lower end; NaN with fewer than `LEAST` clusters.
        high: upper end.
        n: number of defined values.
        clusters: number of questions with any.
        p: two-sided p-value against the null value; NaN with fewer than `LEAST` clusters.
        error: standard error; NaN with fewer than `LEAST` clusters.
    """

    value: float
    low: float
    high: float
    n: int
    clusters: int
    p: float = np.nan
    error: float = np.nan

    @property
    def has_verdict(self) -> bool:
        """Whether there are enough questions to say on which side of a null value it is."""
        return self.low == self.low and self.clusters >= LEAST_VERDICT


def cluster_estimate(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    weights: Float[np.ndarray, " N"] | None = None,
    level: float = 0.95,
    null: float = 0.0,
    limits: tuple[float, float] = ANY,
) -> Estimate:
    """Weighted mean sum(w x) / sum(w), with an interval over clusters.

    `weights=None` gives the plain mean; the fraction positive is the mean of `positive(values)`; the range-weighted
    cosine uses the success range as weights. The paper prints no formula for the latter; this is the natural reading.

    Args:
        values: scores; NaN is left out.
        clusters: question of each score, any sortable type.
        weights: >= 0; NaN is left out.
        level: coverage of the interval.
        null: null value of the p-value.
        limits: lowest and highest possible value, which also limit the interval.
    """
    x, w, names = _defined(values, clusters, weights)
    above, below = _sums(x, w, *_numbered(names))
    above, below = above[below > 0], below[below > 0]
    value = _ratio(float(above.sum()), float(below.sum()))
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (above.sum() - above) / (below.sum() - below)
    return _estimate(value, without, above - null * below, below, len(x), level, limits)


def cluster_difference(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    group: Bool[np.ndarray, " N"],
    weights: Float[np.ndarray, " N"] | None = None,
    level: float = 0.95,
) -> Estimate:
    """Weighted mean of the scores in a group minus that of the rest, leaving out clusters from both at once.

    Args:
        values: scores; NaN is left out.
        clusters: question of each score.
        group: which scores are in the group.
        weights: >= 0; NaN is left out.
        level: coverage of the interval.

    Returns:
        The difference; `clusters` counts clusters with scores on both sides, the interval uses all clusters.
    """
    x, w, names, inside = _defined(values, clusters, weights, group)
    every, which = _numbered(names)
    sides = [_sums(x[side], w[side], every, which[side]) for side in (inside, ~inside)]
    both = int((np.minimum(sides[0][1], sides[1][1]) > 0).sum())
    first, second = (_ratio(float(above.sum()), float(below.sum())) for above, below in sides)
    if both < LEAST:
        return Estimate(first - second, np.nan, np.nan, len(x), both)
    there = (sides[0][1] > 0) | (sides[1][1] > 0)
    sides = [(above[there], below[there]) for above, below in sides]
    one, other = ((above.sum() - above) / (below.sum() - below) for above, below in sides)
    mean = _ratio(float((w * x).sum()), float(w.sum()))
    distance, other_distance = ((above - mean * below) / below.sum() for above, below in sides)
    shares = sides[0][1] / sides[0][1].sum() + sides[1][1] / sides[1][1].sum()
    found = _estimate(first - second, one - other, distance - other_distance, shares, len(x), level, ANY)
    return Estimate(found.value, found.low, found.high, len(x), both, found.p, found.error)


def cluster_correlation(
    x: Float[np.ndarray, " N"],
    y: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    level: float = 0.95,
) -> Estimate:
    """Pearson's correlation of two scores, with an interval over clusters.

    Args:
        x: scores; pairs with a NaN are left out.
        y: other scores of the same nodes.
        clusters: question of each.
        level: coverage of the interval.

    Returns:
        The correlation; its value is NaN if either score is constant.
    """
    defined = ~(np.isnan(x) | np.isnan(y))
    x, y, names = x[defined].astype(np.float64), y[defined].astype(np.float64), clusters[defined]
    every, which = _numbered(names)
    products = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y])
    # bincount of an empty array returns integers even with weights
    sums = np.stack([np.bincount(which, weights=row, minlength=len(every)) for row in products]).astype(np.float64)
    whole = sums.sum(axis=1)
    value, without = float(_correlation(whole)), _correlation(whole[:, None] - sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = whole[1] / whole[0], whole[2] / whole[0]
    covariance = sums[5] - mean_x * sums[2] - mean_y * sums[1] + mean_x * mean_y * sums[0]
    return _estimate(value, without, covariance, sums[0], len(x), level, COSINE)


def cluster_means(
    values: Float[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    weights: Float[np.ndarray, " N"] | None = None,
) -> dict[Any, float]:
    """Weighted mean of each cluster that has one; arguments as for `cluster_estimate`."""
    x, w, names = _defined(values, clusters, weights)
    every, which = _numbered(names)
    above, below = _sums(x, w, every, which)
    return {name: float(a / b) for name, a, b in zip(every.tolist(), above, below, strict=True) if b > 0}


def cluster_ratio(
    above: Float[np.ndarray, "C C"],
    below: Float[np.ndarray, "C C"],
    n: int,
    level: float = 0.95,
    null: float = 0.0,
) -> Estimate:
    """Share of a sum over pairs of clusters, with an interval over clusters.

    Args:
        above: numerator of each ordered pair of clusters.
        below: denominator of each ordered pair.
        n: number of values behind the ratio.
        level: coverage of the interval.
        null: null value of the p-value.
    """
    value = _ratio(float(above.sum()), float(below.sum()))
    own = [part.sum(axis=0) + part.sum(axis=1) - part.diagonal() for part in (above, below)]
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (above.sum() - own[0]) / (below.sum() - own[1])
    there = own[1] > 0
    distance = (own[0] - null * own[1])[there]
    return _estimate(value, without[there], distance, own[1][there], n, level, SHARE)


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
    x: Float64[np.ndarray, " N"],
    w: Float64[np.ndarray, " N"],
    every: Shaped[np.ndarray, " C"],
    which: Int64[np.ndarray, " N"],
) -> tuple[Real[np.ndarray, " C"], Real[np.ndarray, " C"]]:
    """Per cluster, the sum of w x and the sum of w."""
    return np.bincount(which, weights=w * x, minlength=len(every)), np.bincount(which, weights=w, minlength=len(every))


def _correlation(sums: Float64[np.ndarray, "6 *B"]) -> Float64[np.ndarray, "*B"]:  # noqa: F821
    """Pearson's r from the sums of 1, x, y, x², y² and xy; NaN if x or y is constant up to rounding."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n, x, y, xx, yy, xy = sums
        spread_x, spread_y = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
        r = (xy / n - x * y / n**2) / np.sqrt(spread_x * spread_y)
        flat = (spread_x <= FLAT * xx / n) | (spread_y <= FLAT * yy / n)
    return np.where(flat, np.nan, np.clip(r, -1.0, 1.0))


def _estimate(
    value: float,
    without: Float64[np.ndarray, " C"],
    distance: Float64[np.ndarray, " C"],
    weights: Real[np.ndarray, " C"],
    n: int,
    level: float,
    limits: tuple[float, float],
) -> Estimate:
    """Build an estimate.

    Args:
        value: its value.
        without: its values without each cluster.
        distance: contribution of each cluster to the distance from the null value.
        weights: weights of the clusters.
        n: number of values behind it.
        level: coverage of the interval.
        limits: lowest and highest possible value.
    """
    count = len(without)
    if count < LEAST or np.isnan(value) or np.isnan(without).any():
        return Estimate(value, np.nan, np.nan, n, count)
    error = float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))
    effective = float(weights.sum() ** 2 / (weights.astype(np.float64) ** 2).sum())
    reach = float(stdtrit(max(1.0, effective * (count - 1) / count), (1 + level) / 2)) * error
    low, high = max(value - reach, min(limits[0], value)), min(value + reach, max(limits[1], value))
    return Estimate(value, low, high, n, count, _sign_flip_p(distance), error)


def _sign_flip_p(values: Float64[np.ndarray, " C"]) -> float:
    """Share of sign patterns that give a sum at least as far from 0."""
    sums = np.abs(_signs(len(values)) @ values)
    return float((sums >= np.abs(values.sum()) * (1 - 1e-9)).mean())


@lru_cache(maxsize=64)
def _signs(count: int) -> Float64[np.ndarray, "B C"]:
    """Sign patterns with a positive first sign, as the others mirror them; the first of them is positive throughout."""
    if count <= EXACT:
        return np.array([(1, *signs) for signs in product((1, -1), repeat=count - 1)], dtype=np.float64)
    signs = np.random.default_rng(0).choice([1.0, -1.0], size=(FLIPS, count))
    signs[0] = 1.0
    return signs


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator > 0 else float("nan")
