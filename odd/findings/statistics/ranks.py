"""Statistics along a path: rank correlations, sign changes, and improvement by selection."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer


def grouped_spearman(
    values: Float[np.ndarray, "*B N"],
    feature: Float[np.ndarray, " N"],
    groups: Integer[np.ndarray, " N"],
    least: int,
) -> Float64[np.ndarray, "*B G"]:
    """Spearman's rank correlation of a score with a feature within each group.

    Args:
        values: scores, once or in B versions with NaN in the same places.
        feature: feature of the same nodes; nodes where either is NaN are left out.
        groups: path number of each node, from 0.
        least: minimum number of nodes in a group.

    Returns:
        One correlation per group; NaN with fewer nodes, or if score or feature is constant.
    """
    from scipy.stats import rankdata  # takes 0.5 s to import, and a run does not need it

    count = int(groups.max(initial=-1)) + 1
    found = np.full((*values.shape[:-1], count), np.nan)
    defined = ~(np.isnan(feature) | _anywhere_unknown(values))
    for group, rows in _members(groups, defined):
        if len(rows) >= least:
            found[..., group] = _pearson(rankdata(values[..., rows], axis=-1), rankdata(feature[rows]))
    return found


def sign_changes(
    values: Float[np.ndarray, "*B N"], groups: Integer[np.ndarray, " N"]
) -> tuple[Float64[np.ndarray, "*B P"], Int64[np.ndarray, " P"]]:
    """Whether the sign differs between neighbours on a path, 1 or 0; undefined scores are skipped.

    Args:
        values: scores in path order, once or in B versions with NaN in the same places.
        groups: path number of each score.

    Returns:
        One entry per pair of neighbours, and the row of its first member.
    """
    defined = ~_anywhere_unknown(values)
    pairs = [rows for _, rows in _members(groups, defined) if len(rows) > 1]
    first = np.concatenate([rows[:-1] for rows in pairs]) if pairs else np.empty(0, dtype=np.int64)
    second = np.concatenate([rows[1:] for rows in pairs]) if pairs else first
    changed = (values[..., first] > 0) != (values[..., second] > 0)
    return changed.astype(np.float64), first


def improved(
    signal: Float[np.ndarray, " N"], keep: Bool[np.ndarray, " N"], groups: Integer[np.ndarray, " N"]
) -> Float64[np.ndarray, " G"]:
    """Whether the mean signal of the kept nodes is above that of all nodes, per group; NaN if none is kept."""
    count = int(groups.max(initial=-1)) + 1
    defined = ~np.isnan(signal)
    kept = defined & keep

    def mean(rows: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.bincount(groups[rows], signal[rows], count) / np.bincount(groups[rows], minlength=count)

    selected, whole = mean(kept), mean(defined)
    return np.where(np.isnan(selected), np.nan, selected > whole)


def _anywhere_unknown(values: np.ndarray) -> np.ndarray:
    """Where any version of the scores is NaN."""
    return np.asarray(np.isnan(values).any(axis=tuple(range(values.ndim - 1))))


def _members(groups: np.ndarray, defined: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Number of each group and its defined rows, in order."""
    rows = np.flatnonzero(defined)
    if not len(rows):
        return []
    order = rows[np.argsort(groups[rows], kind="stable")]
    names, starts = np.unique(groups[order], return_index=True)
    return list(zip(names.tolist(), np.split(order, starts[1:]), strict=True))


def _pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = x - x.mean(axis=-1, keepdims=True), y - y.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((x * y).sum(axis=-1) / np.sqrt((x * x).sum(axis=-1) * (y * y).sum()))
