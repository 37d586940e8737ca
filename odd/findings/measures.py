"""The measures of method §7 over decision points: means over nodes, with intervals over questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odd.config import USUAL
from odd.errors import OddError
from odd.findings.statistics import (
    Estimate,
    NoiseFloor,
    Scores,
    cluster_bootstrap,
    cluster_difference,
    cluster_means,
    positive,
    wilcoxon_p,
)

SEED = 0
"""Of the bootstrap."""


@dataclass(frozen=True)
class Measure:
    """A mean over decision points.

    Attributes:
        key: short name.
        name: in words.
        unit: of it.
        null: the value that means no effect.
        column: of the scores that it is the mean of.
        weighted: whether the success range weights it.
    """

    key: str
    name: str
    unit: str
    null: float = 0.0
    column: str = "alignment"
    weighted: bool = False

    def of(self, points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Values and weights of some points."""
        values = points[self.column].to_numpy(float)
        return self._values(values), points["success_range"].to_numpy(float) if self.weighted else None

    def estimate(self, points: pd.DataFrame, seed: int = SEED) -> Estimate:
        """The mean with its interval over questions."""
        values, weights = self.of(points)
        return cluster_bootstrap(values, points["question"].to_numpy(), seed, weights, null=self.null)

    def difference(self, points: pd.DataFrame, group: np.ndarray) -> Estimate:
        """The mean of a group minus that of the others."""
        values, weights = self.of(points)
        return cluster_difference(values, points["question"].to_numpy(), group, SEED, weights)

    def by_question(self, points: pd.DataFrame) -> dict[int, float]:
        """The mean of each question."""
        values, weights = self.of(points)
        return cluster_means(values, points["question"].to_numpy(), weights)

    def wilcoxon(self, points: pd.DataFrame) -> float:
        """Signed-rank test of the questions' means against no effect."""
        return wilcoxon_p([value - self.null for value in self.by_question(points).values()])

    def wilcoxon_difference(self, one: pd.DataFrame, other: pd.DataFrame) -> float:
        """Signed-rank test of the differences of the two means in each question."""
        means, others = self.by_question(one), self.by_question(other)
        return wilcoxon_p([means[name] - others[name] for name in means.keys() & others.keys()])

    def terms(self, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
        """What to add up above and below the line of the mean, 0 where a score is undefined."""
        column = getattr(scores, self.column)
        known = ~np.isnan(column)
        weights = np.where(known, scores.success_range, 0) if self.weighted else known.astype(np.float32)
        return np.where(known, self._values(column), 0) * weights, weights

    def _values(self, values: np.ndarray) -> np.ndarray:
        return positive(values) if self.key == "fraction_positive" else values


MEASURES = (
    Measure("weighted_cosine", "range-weighted cosine", "−1 to 1", weighted=True),
    Measure("mean_cosine", "mean cosine", "−1 to 1"),
    Measure("fraction_positive", "fraction positive", "0 to 1", null=0.5),
    Measure("mean_gain", "mean gain", "success / step", column="gain"),
    Measure("advantage", "teacher advantage", "success", column="advantage"),
)
MAIN = MEASURES[0]


def floors(floor: NoiseFloor, sets: Sequence[np.ndarray]) -> dict[Measure, np.ndarray]:
    """Every measure over each of some sets of points, given by their numbers, in each shuffle of success, (S, B)."""
    sums = floor.sums(lambda scores: [term for measure in MEASURES for term in measure.terms(scores)], sets)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[:, 0::2] / sums[:, 1::2]
    return {measure: means[:, number].T for number, measure in enumerate(MEASURES)}


def estimates(points: pd.DataFrame, seed: int = SEED) -> dict[str, Estimate]:
    """All measures over some decision points of one teacher, by key; a row a decision point."""
    return {measure.key: measure.estimate(points, seed) for measure in MEASURES}


def chosen_measure(known: pd.DataFrame, run_id: str, objective: str | None, convention: str | None) -> tuple[str, str]:
    """Labels of the scores that are meant: those asked for, else the usual ones, else the first that a run has.

    Args:
        known: of the query `measures`.
        run_id: the run.
        objective: label that is asked for, if one is.
        convention: label that is asked for, if one is.

    Raises:
        OddError: it has no such objective or convention; names those it has.
    """
    chosen = []
    for column, wanted in (("objective", objective), ("convention", convention)):
        options = known[column].unique().tolist()
        if options and wanted is not None and wanted not in options:
            raise OddError(f"run {run_id}: no {column} {wanted!r}; it has {', '.join(options)}")
        usual = USUAL[column] if not options or USUAL[column] in options else options[0]
        chosen.append(usual if wanted is None else wanted)
    return chosen[0], chosen[1]
