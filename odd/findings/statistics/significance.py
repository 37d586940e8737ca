"""Tests in addition to the bootstrap: over questions, over paths as the paper seems to do, and Holm's correction.

The paper prints p-values without naming the test. Its 576 paths per arm are 36 questions × 2 paths × 8 teachers, which
share rollouts and trees, so a test that treats them as independent overstates significance (method §7).
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float


def wilcoxon_p(differences: Sequence[float] | Float[np.ndarray, " Q"]) -> float:
    """Two-sided Wilcoxon signed-rank p-value of per-question differences; NaN if none differs from 0."""
    from scipy import stats  # takes 0.5 s to import, and a run does not need it

    values = np.asarray(differences, dtype=np.float64)
    values = values[~np.isnan(values) & (values != 0)]
    return float(stats.wilcoxon(values).pvalue) if len(values) else float("nan")


def welch_p(one: Float[np.ndarray, " A"], other: Float[np.ndarray, " B"]) -> float:
    """p-value of a two-sided Welch t-test; NaN if a sample has fewer than two values, or neither has any variance."""
    from scipy import stats

    one, other = one[~np.isnan(one)], other[~np.isnan(other)]
    if min(len(one), len(other)) < 2 or (np.ptp(one) == 0 and np.ptp(other) == 0):
        return float("nan")
    # from the moments: the same test without scipy's checks of the arrays
    moments = [(group.mean(), group.std(ddof=1), len(group)) for group in (one, other)]
    return float(stats.ttest_ind_from_stats(*moments[0], *moments[1], equal_var=False).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of a family of p-values; NaNs are not in the family and stay NaN."""
    p = np.asarray(p_values, dtype=np.float64)
    members = np.flatnonzero(~np.isnan(p))
    order = members[np.argsort(p[members], kind="stable")]
    scaled = p[order] * np.arange(len(order), 0, -1)
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted.tolist()
