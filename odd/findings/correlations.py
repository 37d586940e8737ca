"""Rank correlation of alignment with depth and divergences within a path (table 5)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row, interval_of
from odd.findings.ranking import falling
from odd.findings.statistics import COSINE, cluster_estimate, grouped_spearman
from odd.findings.summaries import SUMMARIES
from odd.findings.written import state

FEATURES = {
    "normalised_depth": "depth",
    "kl_student_teacher": "KL(student ‖ teacher)",
    "js": "JS divergence",
    "l2": "L2 distance",
    "probability_cosine": "probability cosine",
}
LEAST = 5
"""Minimum number of scored decision points of a path."""
SHUFFLES = 60
"""Permutations for the noise floor; each needs new ranks on every path."""


def find(evidence: Evidence) -> Found:
    """Mean rank correlation over paths with each feature, over all teachers and per teacher, best first."""
    steps = evidence.with_features(evidence.chosen_steps())
    means = {name: SUMMARIES[1].estimate(evidence.scores(evidence.on(teacher=name))) for name in evidence.scored}
    order = list(falling(means))
    rows = []
    for name in (None, *order) if order else ():
        own = steps if name is None else steps[steps["teacher"] == name]
        rows.append(Row((name or ALL_TEACHERS,), _cells(evidence, own), evidence.on(teacher=name)))
    return Found(tuple(rows), _sentences(evidence, rows))


def _cells(evidence: Evidence, steps: pd.DataFrame) -> dict[str, Cell]:
    groups = steps.groupby(["teacher", "question", "path"], sort=False).ngroup().to_numpy(np.int64)
    clusters = steps["question"].groupby(groups).first().to_numpy() if len(steps) else np.empty(0, np.int64)
    values = steps["alignment"].to_numpy(float)
    shuffled = evidence.floor.alignment[:SHUFFLES, steps["point"].to_numpy()].astype(np.float64)
    cells = {}
    for feature in FEATURES:
        column = steps[feature].to_numpy(float)
        rho = grouped_spearman(values, column, groups, LEAST)
        chance = grouped_spearman(shuffled, column, groups, LEAST)
        defined = ~np.isnan(rho)
        floor = np.nanmean(chance[:, defined], axis=1) if defined.any() else np.empty(0)
        cells[feature] = Cell(cluster_estimate(rho, clusters, limits=COSINE), interval_of(floor))
    return cells


def _sentences(evidence: Evidence, rows: list[Row]) -> tuple[str, ...]:
    cells: Mapping[str, Cell] = rows[0].cells if rows else {}
    if not any(cell.estimate.n for cell in cells.values()):
        return (f"No path has {LEAST} scored decision points, so there are no correlations within paths.",)
    named = {name: cells[feature].estimate for feature, name in FEATURES.items()}
    clear = {name: one for name, one in named.items() if state(one) != "open"}
    largest = max((abs(one.value) for one in named.values() if one.n), default=float("nan"))
    said = (
        f"the interval of the mean correlation excludes 0 for {words.valued(clear, list(clear))}"
        if clear
        else "the interval of every mean correlation contains 0"
    )
    widest = max(named.values(), key=lambda one: one.n)
    best = words.short(rows[1].labels[0])
    return (
        f"Within a path, over all teachers, {said}; the largest absolute value is {largest:.2f}.",
        f"n counts (path, teacher) pairs with at least {LEAST} scored decision points ({widest.n:,} in "
        f"{words.questions(widest.clusters)}). The first teacher, {best}, has the largest mean cosine.",
    )
