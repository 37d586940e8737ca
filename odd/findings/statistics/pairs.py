"""Means over pairs of questions: one that is trained on, and one whose success changes.

Both questions of a pair are drawn, and pairs share them, so neither rows nor columns are independent. The jackknife
leaves out one question at a time, as row and as column.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64

from odd.findings.statistics.clusters import LEAST, Estimate


def pair_mean(values: Float[np.ndarray, "Q Q"], counted: Bool[np.ndarray, "Q Q"], level: float = 0.95) -> Estimate:
    """Mean over pairs, with a jackknife interval over questions from Student's t with Q - 1 degrees of freedom.

    Args:
        values: one value per pair; row and column of the same number belong to the same question.
        counted: the pairs that count. A question without any does not exist.
        level: coverage of the interval.
    """
    known = counted & ~np.isnan(values)
    present = np.flatnonzero(known.any(axis=0) | known.any(axis=1))
    filled, known = np.where(known, values, 0.0)[np.ix_(present, present)], known[np.ix_(present, present)]
    count, total, pairs = len(present), filled.sum(), known.sum()
    if not pairs:
        return Estimate(np.nan, np.nan, np.nan, 0, 0)
    without = _without(filled), _without(known.astype(np.float64))
    if count < LEAST or not without[1].all():  # leaving one out must leave a pair
        return Estimate(float(total / pairs), np.nan, np.nan, int(pairs), count)
    from scipy import stats  # takes 0.5 s to import, and a run does not need it

    left = without[0] / without[1]
    value = float(total / pairs)
    error = float(np.sqrt((count - 1) / count * ((left - left.mean()) ** 2).sum()))
    reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    p = 2 * float(stats.t.sf(abs(value) / error, count - 1)) if error else np.nan
    return Estimate(value, value - reach, value + reach, int(pairs), count, p, error)


def _without(table: Float64[np.ndarray, "Q Q"]) -> Float64[np.ndarray, " Q"]:
    """Return the sum of a table without row and column of each question."""
    return table.sum() - table.sum(axis=0) - table.sum(axis=1) + table.diagonal()
