"""How often the baselines `full` and `children` give the cosine opposite signs, and when."""

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.components import POINT
from odd.findings.evidence import Evidence
from odd.findings.model import Cell, Found, Row
from odd.findings.statistics import SHARE, cluster_estimate

FULL, CHILDREN = "-full-off", "-children-off"
PUSHES = {
    True: "all children the same way",
    False: "some up, some down",
}
SIZES = (("2", 2, 2), ("3", 3, 3), ("4 or more", 4, 10**6))


def find(evidence: Evidence) -> Found:
    """Share of decision points whose sign depends on the baseline, by |S_u| and how the teacher pushes the children."""
    pooling = (evidence.filters.convention or "").split("-")[0]
    both = _both(evidence, pooling)
    if not len(both):
        needed = f"{pooling}{FULL} and {pooling}{CHILDREN}"
        return Found((), (f"This finding needs scores under {needed}; this run does not have both.",))
    opposite = (both["full"] > 0) != (both["children_"] > 0)
    both = both.assign(opposite=opposite.astype(float))
    rows = [_row(evidence, both, "any", "any way")]
    for text, low, high in SIZES:
        part = both[both["children"].between(low, high)]
        rows += [_row(evidence, part[part["together"] == way], text, name) for way, name in PUSHES.items()]
    return Found(tuple(row for row in rows if row.cells["opposite"].estimate.n), _sentences(evidence, rows))


def _both(evidence: Evidence, pooling: str) -> pd.DataFrame:
    """Selected points with the cosine under each baseline, and whether the teacher pushes all children the same way."""
    scores = evidence.run.query("finding_conventions", objective=evidence.filters.objective)
    columns = []
    for name, convention in (("full", pooling + FULL), ("children_", pooling + CHILDREN)):
        own = scores[scores["convention"] == convention].drop_duplicates(POINT)
        columns.append(own.set_index(POINT)["alignment"].rename(name))
    points = evidence.points.iloc[evidence.on()][[*POINT, "children"]].reset_index(names="point")
    both = points.merge(columns[0].reset_index(), on=POINT).merge(columns[1].reset_index(), on=POINT)
    both = both[both["full"].notna() & both["children_"].notna()]
    if not len(both):
        return both
    siblings = evidence.components_under(pooling + FULL, both).siblings
    up = (siblings.gradient > 0) | ~siblings.inside
    down = (siblings.gradient < 0) | ~siblings.inside
    return both.assign(together=np.asarray(up.all(axis=1) | down.all(axis=1)))


def _row(evidence: Evidence, part: pd.DataFrame, size: str, way: str) -> Row:
    estimate = cluster_estimate(part["opposite"].to_numpy(float), part["question"].to_numpy(), limits=SHARE)
    points = part.loc[part["opposite"] == 1, "point"].to_numpy(np.int64)
    return Row((size, way), {"opposite": Cell(estimate)}, points)


def _sentences(evidence: Evidence, rows: list[Row]) -> tuple[str, ...]:
    every = rows[0].cells["opposite"].estimate
    two = {row.labels[1]: row.cells["opposite"].estimate for row in rows if row.labels[0] == "2"}
    text = (
        f"The two baselines give the cosine opposite signs at {words.share(every)} of {every.n:,} (token, teacher) "
        "pairs."
    )
    together, apart = (two.get(PUSHES[way]) for way in (True, False))
    if together is not None and apart is not None and together.n and apart.n:
        text += (
            f" With two children, this happens at {words.share(together)} of those where the teacher pushes both the "
            f"same way, and at {words.share(apart)} of those where it raises one and lowers the other."
        )
    why = (
        "With two children, the ideal gradient raises the better one and lowers the worse one by the same amount. "
        "With the children's baseline, only the teacher's preference between the two matters, relative to the student. "
        "With the full baseline, probability taken from the rest of the vocabulary matters too: raising both children, "
        "but the more likely and worse one by more, counts as harmful even if the teacher prefers the better one."
    )
    return text, why
