"""The gap between two engines: log-probabilities of the same tokens by the engine that sampled and the one that scores.

The gap enters every divergence between student and teacher. If one engine's values are those of the next or previous
position, they correlate best at another lag than 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LAGS = (-1, 0, 1)
ENOUGH = 16
"""Positions that a correlation needs."""
SECTIONS = 4
"""Parts of a rollout, of equal length, in which the gap is averaged."""


@dataclass(frozen=True)
class EngineGap:
    """Distance of two engines in nats per token.

    Attributes:
        rollouts: rollouts that were compared.
        tokens: their tokens.
        mean: mean absolute difference.
        largest: largest absolute difference.
        bias: mean of sampled minus scored.
        sections: mean absolute difference in each quarter of the rollouts; NaN without tokens.
        lags: correlation at the lags of `LAGS`; NaN if there are too few positions, or constant values.
    """

    rollouts: int
    tokens: int
    mean: float
    largest: float
    bias: float
    sections: tuple[float, ...]
    lags: tuple[float, ...]

    @property
    def shifted(self) -> bool:
        """Whether the values correlate better at another lag than 0."""
        return is_shifted(self.lags)


def is_shifted(lags: Sequence[float]) -> bool:
    """Whether the correlation at lag 0 is not the largest of those at the lags of `LAGS`; False if one is unknown."""
    return bool(np.isfinite(lags).all()) and lags[LAGS.index(0)] < max(lags)


def engine_gap(sampled: Sequence[np.ndarray], scored: Sequence[np.ndarray]) -> EngineGap | None:
    """Compare log-probabilities of rollouts, (T,) each; None if there are no tokens."""
    differences = [own.astype(np.float64) - its for own, its in zip(sampled, scored, strict=True)]
    every = np.concatenate(differences) if differences else np.empty(0)
    if not len(every):
        return None
    parts = [np.array_split(difference, SECTIONS) for difference in differences]
    sections = [np.concatenate(section) for section in zip(*parts, strict=True)]
    return EngineGap(
        rollouts=len(differences),
        tokens=len(every),
        mean=float(np.abs(every).mean()),
        largest=float(np.abs(every).max()),
        bias=float(every.mean()),
        sections=tuple(float(np.abs(section).mean()) if len(section) else np.nan for section in sections),
        lags=tuple(lag_correlation(sampled, scored, lag) for lag in LAGS),
    )


def lag_correlation(one: Sequence[np.ndarray], other: Sequence[np.ndarray], lag: int) -> float:
    """Return the correlation of values along rollouts with others' `lag` positions later; NaN without enough."""
    pairs = [
        (own[max(0, -lag) : len(own) - max(0, lag)], its[max(0, lag) : len(its) - max(0, -lag)])
        for own, its in zip(one, other, strict=True)
    ]
    own, its = (np.concatenate(part) for part in zip(*pairs, strict=True))
    known = np.isfinite(own) & np.isfinite(its)
    if known.sum() < ENOUGH or own[known].std() == 0 or its[known].std() == 0:
        return np.nan
    return float(np.corrcoef(own[known], its[known])[0, 1])
