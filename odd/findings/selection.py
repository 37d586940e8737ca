"""The selective oracle: training only on tokens with a cosine above a threshold (table 2), naive and honest.

The naive oracle chooses and measures tokens on the same rollouts, which rewards noise: two noisy children are enough
for a large signal. The honest one chooses on one half of the rollouts and measures on the other, in both directions.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row, interval_of
from odd.findings.statistics import SHARE, Estimate, Scores, cluster_estimate, improved

THRESHOLDS = (0.0, 0.3)
SAME, HALF, OTHER = "the same rollouts", "the same half", "the other half"
EVERY = "all"


@dataclass(frozen=True, eq=False)
class _Part:
    """Scores to choose by and scores to measure; W directions, N points.

    Attributes:
        points: numbers of the points, (N,).
        known: which points are measured, (N,).
        by: alignment to choose by, (W, N).
        signal: measured range × cosine, (W, N).
        gain: measured gain, (W, N).
    """

    points: np.ndarray
    known: np.ndarray
    by: np.ndarray
    signal: np.ndarray
    gain: np.ndarray

    def keep(self, threshold: float | None) -> np.ndarray:
        """Mask of the chosen points, (W, N); without a threshold, all measured points."""
        with np.errstate(invalid="ignore"):
            return self.known & (np.ones_like(self.by, dtype=bool) if threshold is None else self.by > threshold)


def find(evidence: Evidence) -> Found:
    """Signal, tokens kept and paths improved for each selection rule, over all teachers and per teacher."""
    rows = _rows(evidence, None) if evidence.scored else []
    for name in evidence.scored if len(evidence.scored) > 1 else ():
        rows += _rows(evidence, name)
    return Found(tuple(rows), _sentences(evidence, rows))


def _rows(evidence: Evidence, teacher: str | None) -> list[Row]:
    points = evidence.on(teacher=teacher)
    table = evidence.points
    align, spread, gain = (table[name].to_numpy(float)[points] for name in ("alignment", "success_range", "gain"))
    parts = {SAME: _Part(points, ~np.isnan(align), align[None], (spread * align)[None], gain[None])}
    if evidence.halves is not None:
        first, second = evidence.halves
        points = evidence.on(teacher=teacher, ties=True)
        points = points[evidence.points["teacher"].iloc[points].isin(evidence.scored)]
        parts[HALF] = _part(points, [(first, first), (second, second)])
        parts[OTHER] = _part(points, [(first, second), (second, first)])
    rows = []
    for measured, part in parts.items():
        thresholds = THRESHOLDS if measured == HALF else (None, *THRESHOLDS)
        rows += [_row(evidence, teacher, measured, part, threshold) for threshold in thresholds]
    return rows


def _part(points: np.ndarray, ways: list[tuple[Scores, Scores]]) -> _Part:
    """Stack pairs of scores to choose by and to measure; only points with an estimate in both halves are measured."""
    by = np.stack([choose.alignment[points] for choose, _ in ways])
    signal, gain = (np.stack([getattr(then, name)[points] for _, then in ways]) for name in ("signal", "gain"))
    known = np.asarray(~(np.isnan(signal) | np.isnan(gain)).any(axis=0))
    return _Part(points, known, by, *(np.where(known, values, np.nan) for values in (signal, gain)))


def _row(evidence: Evidence, teacher: str | None, measured: str, part: _Part, threshold: float | None) -> Row:
    keep, ways = part.keep(threshold), len(part.by)
    clusters = np.tile(evidence.points["question"].to_numpy()[part.points], ways)
    weights = keep.astype(float)
    share = np.where(part.known, weights, np.nan)
    floor = _floor(evidence, part, threshold) if measured == SAME else None
    cells = {
        "signal": Cell(cluster_estimate(part.signal.ravel(), clusters, weights.ravel()), floor),
        "gain": Cell(cluster_estimate(part.gain.ravel(), clusters, weights.ravel())),
        "kept": Cell(cluster_estimate(share.ravel(), clusters, limits=SHARE)),
    }
    if threshold is not None:
        cells["improved"] = Cell(_improved(evidence, part, keep))
    kept = EVERY if threshold is None else f"cosine > {threshold:g}"
    return Row((teacher or ALL_TEACHERS, kept, measured), cells, part.points[keep.any(axis=0)])


def _improved(evidence: Evidence, part: _Part, keep: np.ndarray) -> Estimate:
    """Share of (path, teacher) pairs with a higher mean signal after selection, among those with kept tokens."""
    steps = evidence.places(evidence.filters.outcome)
    steps = steps[steps["point"].isin(part.points)]
    at = pd.Index(part.points).get_indexer(pd.Index(steps["point"]))
    groups = steps.groupby(["teacher", "question", "path"]).ngroup().to_numpy(np.int64)
    clusters = steps["question"].groupby(groups).first().to_numpy()
    risen = [improved(signal[at], kept[at], groups) for signal, kept in zip(part.signal, keep, strict=True)]
    return cluster_estimate(np.concatenate(risen), np.tile(clusters, len(risen)), limits=SHARE)


def _floor(evidence: Evidence, part: _Part, threshold: float | None) -> tuple[float, float] | None:
    """Noise floor of the naive signal."""
    shuffled = evidence.floor
    align, signal = shuffled.alignment[:, part.points], shuffled.signal[:, part.points]
    with np.errstate(invalid="ignore"):
        keep = ~np.isnan(align) if threshold is None else align > threshold
        means = np.where(keep, signal, 0).sum(axis=1) / keep.sum(axis=1)
    return interval_of(means.astype(np.float64))


def _sentences(evidence: Evidence, rows: list[Row]) -> tuple[str, ...]:
    cells = {row.labels[1:]: row.cells for row in rows if row.labels[0] == ALL_TEACHERS}
    if not rows or not cells[EVERY, SAME]["signal"].estimate.n:
        return (words.NOTHING,)
    chosen = f"cosine > {THRESHOLDS[0]:g}"
    whole, naive = (cells[key]["signal"] for key in ((EVERY, SAME), (chosen, SAME)))
    floor = naive.floor or (float("nan"), float("nan"))
    first = (
        f"Keeping only tokens with a cosine above 0 raises the mean signal from {words.value(whole.estimate)} to "
        f"{words.value(naive.estimate)}, measured on the rollouts that chose them; with success shuffled, the same "
        f"selection would give {floor[0]:.3f} to {floor[1]:.3f}."
    )
    if (chosen, OTHER) not in cells:
        second = "This objective is computed from the outcomes, so halves of the rollouts give no honest measurement."
    else:
        honest, same = (cells[chosen, where]["signal"].estimate for where in (OTHER, HALF))
        second = (
            f"Chosen on one half of the rollouts and measured on the other, it is {words.value(honest)} "
            f"({words.side(honest)}), compared with {words.value(same)} on the half that chose."
        )
    return first, second
