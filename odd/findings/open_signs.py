"""How many more rollouts would settle the remaining signs, estimated from the posterior of each score."""

import numpy as np
from scipy.special import ndtri

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row
from odd.findings.statistics import SHARE, Estimate, cluster_estimate, factor_for, settled_probability

FACTORS = (1.0, 4.0, 16.0)
CURVE = 2.0 ** np.arange(0, 11)
"""Factors in the figure."""
GOAL = 0.9
"""Target share of settled signs."""
LEAST_TAIL = 1 / 800
"""Posterior probabilities come from a few hundred draws, so they are clipped to this distance from 0 and 1."""
NAN = float("nan")


def find(evidence: Evidence) -> Found:
    """Share of settled signs now and with more rollouts, and the factor that would settle most."""
    rows, curves = [], {}
    for name in (None, *evidence.scored) if evidence.scored else ():
        points = evidence.on(teacher=name)
        p = evidence.points["p_positive"].to_numpy(float)[points]
        z = ndtri(np.clip(p, LEAST_TAIL, 1 - LEAST_TAIL))
        clusters = evidence.points["question"].to_numpy()[points]
        cells = {
            f"x{factor:g}": Cell(cluster_estimate(settled_probability(z, factor), clusters, limits=SHARE))
            for factor in FACTORS
        }
        factor = factor_for(z, GOAL)
        n, questions = int((~np.isnan(z)).sum()), len(np.unique(clusters[~np.isnan(z)]))
        total = f"{_round(factor * evidence.rollouts)} rollouts in total" if factor == factor else ""
        cells["factor"] = Cell(Estimate(factor, NAN, NAN, n, questions), note=total)
        rows.append(Row((name or ALL_TEACHERS,), cells, points[(p > 0.025) & (p < 0.975)]))
        curves[name or ALL_TEACHERS] = [float(np.nanmean(settled_probability(z, f))) if n else NAN for f in CURVE]
    return Found(tuple(rows), _sentences(evidence, rows), curves)


def _round(count: float) -> str:
    """Round a count to two significant digits."""
    digits = max(0, len(str(int(count))) - 2)
    return f"{round(count, -digits):,.0f}"


def _sentences(evidence: Evidence, rows: list[Row]) -> tuple[str, ...]:
    if not rows or not rows[0].cells["x1"].estimate.n:
        return (words.NOTHING,)
    cells = rows[0].cells
    now, factor = cells["x1"].estimate, cells["factor"].estimate.value
    more = (
        f"About {factor:.1f} times as many rollouts ({cells['factor'].note}, compared with {evidence.rollouts:,} now), "
        f"distributed as now, would settle {words.percent(GOAL)} of them if the posteriors are right."
        if factor == factor
        else f"Even a million times as many rollouts would not settle {words.percent(GOAL)} of them."
    )
    return (
        f"The sign of the alignment is settled (95% posterior interval excludes 0) at {words.share(now)} of tokens. "
        f"{more}",
    )
