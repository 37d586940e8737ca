"""The best of several teachers at each node."""

import numpy as np
from jaxtyping import Float, Float64

TIE = 1e-6
"""Alignments this close are ties: with two children and the children's baseline, all are 1 or -1 up to rounding."""


def winners(scores: Float[np.ndarray, "*B N M"]) -> Float64[np.ndarray, "*B N M"]:
    """Share of each teacher in winning a node: 1 for the best score, split equally among ties.

    NaN for all teachers if any score is undefined.
    """
    unknown = np.isnan(scores).any(axis=-1, keepdims=True)
    best = scores >= np.where(unknown, np.nan, scores).max(axis=-1, keepdims=True) - TIE
    with np.errstate(invalid="ignore"):
        return np.where(unknown, np.nan, best / best.sum(axis=-1, keepdims=True))


def mixed(shares: Float[np.ndarray, "*B N M"], values: Float[np.ndarray, "*B N M"]) -> Float64[np.ndarray, "*B N"]:
    """Value of the mix of chosen teachers at each node; NaN if a share or a value is undefined."""
    return np.asarray((shares * values).sum(axis=-1), dtype=np.float64)
