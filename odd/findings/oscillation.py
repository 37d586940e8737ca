"""How often the alignment changes sign between consecutive decision points of a path (appendix E.2)."""

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row, interval_of
from odd.findings.statistics import SHARE, Estimate, cluster_estimate, sign_changes


def find(evidence: Evidence) -> Found:
    """Share of consecutive decision points with opposite signs, over all teachers and per teacher."""
    steps = evidence.chosen_steps()
    rows = []
    names = (None, *evidence.scored) if evidence.scored else ()
    for name in names:
        own = steps if name is None else steps[steps["teacher"] == name]
        estimate, floor, first = _changes(evidence, own)
        points = np.unique(own["point"].to_numpy()[first])
        rows.append(Row((name or ALL_TEACHERS,), {"changes": Cell(estimate, floor)}, points))
    return Found(tuple(rows), _sentences(evidence, rows))


def _changes(evidence: Evidence, steps: pd.DataFrame) -> tuple[Estimate, tuple[float, float] | None, np.ndarray]:
    """The share, its noise floor, and the row of the first point of each pair."""
    groups = steps.groupby(["teacher", "question", "path"], sort=False).ngroup().to_numpy(np.int64)
    changed, first = sign_changes(steps["alignment"].to_numpy(float), groups)
    shuffled, _ = sign_changes(evidence.floor.alignment[:, steps["point"].to_numpy()], groups)
    clusters = steps["question"].to_numpy()[first]
    floor = interval_of(shuffled.mean(axis=1)) if len(first) else None
    return cluster_estimate(changed, clusters, limits=SHARE), floor, first


def _sentences(evidence: Evidence, rows: list[Row]) -> tuple[str, ...]:
    if not rows or not rows[0].cells["changes"].estimate.n:
        return ("No path has two decision points with a score, so there are no sign changes to count.",)
    cell = rows[0].cells["changes"]
    text = words.share(cell.estimate)
    floor = cell.floor or (float("nan"), float("nan"))
    inside = floor[0] <= cell.estimate.value <= floor[1]
    verdict = "as often as" if inside else "less often than" if cell.estimate.value < floor[0] else "more often than"
    return (
        f"Between consecutive decision points of a path, the sign changes in {text} of cases, {verdict} expected by "
        f"chance (success shuffled: {words.percent(floor[0])} to {words.percent(floor[1])}).",
    )
