"""Distribution of the scores over decision points (appendix E.1)."""

import numpy as np

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import Cell, Found, Row, interval_of
from odd.findings.statistics import SHARE, cluster_estimate

BINS = np.linspace(-1, 1, 21)
"""Bin edges of the figure."""
PARTS = (("below −0.5", -2.0, -0.5), ("−0.5 to 0", -0.5, 0.0), ("0 to 0.5", 0.0, 0.5), ("above 0.5", 0.5, 2.0))
"""Ranges in the table: lower bound exclusive, upper bound inclusive."""


def find(evidence: Evidence) -> Found:
    """Share of each teacher's decision points in ranges of alignment, with noise floors."""
    rows, bars = [], {}
    for name in evidence.scored:
        points = evidence.on(teacher=name)
        values = evidence.points["alignment"].to_numpy(float)[points]
        shuffled = evidence.floor.alignment[:, points]
        bars[name] = _bars(values), _bars(shuffled)
        clusters = evidence.points["question"].to_numpy()[points]
        for text, low, high in PARTS:
            part = np.where(np.isnan(values), np.nan, (values > low) & (values <= high))
            floor = np.nanmean(np.where(np.isnan(shuffled), np.nan, (shuffled > low) & (shuffled <= high)), axis=1)
            cell = Cell(cluster_estimate(part, clusters, limits=SHARE), interval_of(floor))
            rows.append(Row((name, text), {"share": cell}, points[part == 1]))
    return Found(tuple(rows), _sentences(evidence), bars)


def _bars(values: np.ndarray) -> np.ndarray:
    """Share of the defined values in each bin."""
    defined = values[~np.isnan(values)]
    return np.histogram(defined, BINS)[0] / max(1, len(defined))


def _sentences(evidence: Evidence) -> tuple[str, ...]:
    points = evidence.points.iloc[evidence.on()]
    values = points["alignment"].dropna()
    if not len(values):
        return (words.NOTHING,)
    shuffled = evidence.floor.alignment[:, evidence.on()]
    spread, chance = float(values.std()), float(np.nanstd(shuffled))
    two = float((points.loc[values.index, "children"] == 2).mean())
    return (
        f"The cosines of single tokens have a standard deviation of {spread:.2f}; with success shuffled among "
        f"siblings, it would be {chance:.2f}. {words.percent(two)} of them are based on two children, where the ideal "
        "gradient has only two possible directions.",
    )
