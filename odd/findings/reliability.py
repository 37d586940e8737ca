"""Split-half reliability: correlation of the scores from two halves of the rollouts, by visits."""

from itertools import pairwise

import numpy as np

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row
from odd.findings.statistics import SHARE, Estimate, cluster_correlation, cluster_estimate, spearman_brown

BINS = 4
"""Number of groups of decision points by visits, of equal size as far as ties allow."""
ANY = "any"


def find(evidence: Evidence) -> Found:
    """Split-half correlations of alignment and gain, and agreement of the sign."""
    if not evidence.scored:
        return Found((), (words.NOTHING,))
    if evidence.halves is None:
        name = evidence.filters.objective
        return Found((), (f"{name} is computed from the outcomes, so halves of the rollouts cannot be compared.",))
    rows = [_row(evidence, ALL_TEACHERS, text, points) for text, points in _bins(evidence)]
    every = _row(evidence, ALL_TEACHERS, ANY, evidence.on(ties=True))
    own = [_row(evidence, name, ANY, evidence.on(teacher=name, ties=True)) for name in evidence.scored]
    rows = [every, *rows, *(own if len(own) > 1 else [])]
    r, whole, agree = (every.cells[key].estimate for key in ("alignment", "whole", "agree"))
    text = (
        f"The alignments from two halves of the rollouts have a correlation of {words.value(r)}; by the Spearman-Brown "
        f"formula, all rollouts together have a reliability of {words.value(whole)}. The halves agree on the sign at "
        f"{words.share(agree)} of tokens; chance would give 50%."
    )
    return Found(tuple(rows), (text,))


def _bins(evidence: Evidence) -> list[tuple[str, np.ndarray]]:
    """Selected points grouped by visits, fewest first."""
    points = evidence.on(ties=True)
    visits = evidence.points["visits"].to_numpy(float)[points]
    edges = np.unique(np.quantile(visits, np.linspace(0, 1, BINS + 1)).round()) if len(visits) else np.empty(0)
    found = []
    for at, (low, high) in enumerate(pairwise(edges)):
        inside = (visits >= low if at == 0 else visits > low) & (visits <= high)
        start = int(low) if at == 0 else int(low) + 1
        found.append((f"{start:,} to {int(high):,}", points[inside]))
    return found if len(found) > 1 else []


def _row(evidence: Evidence, teacher: str, text: str, points: np.ndarray) -> Row:
    assert evidence.halves is not None
    clusters = evidence.points["question"].to_numpy()[points]
    first, second = evidence.halves
    found = {
        key: cluster_correlation(getattr(first, key)[points], getattr(second, key)[points], clusters)
        for key in ("alignment", "gain")
    }
    r = found["alignment"]
    value, low, high = (float(spearman_brown(end)) for end in (r.value, r.low, r.high))
    whole = Estimate(value, low, high, r.n, r.clusters)
    one, other = first.alignment[points], second.alignment[points]
    agree = np.where(np.isnan(one) | np.isnan(other), np.nan, (one > 0) == (other > 0))
    cells = {
        "alignment": Cell(r),
        "whole": Cell(whole),
        "agree": Cell(cluster_estimate(agree, clusters, null=0.5, limits=SHARE)),
        "gain": Cell(found["gain"]),
    }
    return Row((teacher, text), cells, points)
