"""Means of measures over decision points (method §7), with intervals over questions."""

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
from odd.method.measures import MEASURES, Measure

SEED = 0
"""Of the bootstrap."""


@dataclass(frozen=True)
class Summary:
    """A mean over decision points.

    Attributes:
        key: short name.
        of: the measure that it is the mean of.
        name: in words; the measure's own unless it is given.
        unit: of it; the measure's own unless it is given.
        null: the value that means no effect.
        weighted: whether the success range weights it.
    """

    key: str
    of: Measure
    name: str = ""
    unit: str = ""
    null: float = 0.0
    weighted: bool = False

    def __post_init__(self) -> None:
        """Name it as the measure."""
        object.__setattr__(self, "name", self.name or self.of.name)
        object.__setattr__(self, "unit", self.unit or self.of.unit)

    @property
    def column(self) -> str:
        """Column of the scores that it is the mean of."""
        return self.of.column

    @property
    def judged(self) -> bool:
        """Whether above the null value helps and below it harms."""
        return self.of.better is True

    def values_of(self, points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Values and weights of some points."""
        values = points[self.column].to_numpy(float)
        return self._values(values), points["success_range"].to_numpy(float) if self.weighted else None

    def estimate(self, points: pd.DataFrame, seed: int = SEED) -> Estimate:
        """The mean with its interval over questions."""
        values, weights = self.values_of(points)
        return cluster_bootstrap(values, points["question"].to_numpy(), seed, weights, null=self.null)

    def difference(self, points: pd.DataFrame, group: np.ndarray) -> Estimate:
        """The mean of a group minus that of the others."""
        values, weights = self.values_of(points)
        return cluster_difference(values, points["question"].to_numpy(), group, SEED, weights)

    def by_question(self, points: pd.DataFrame) -> dict[int, float]:
        """The mean of each question."""
        values, weights = self.values_of(points)
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


SUMMARIES = (
    Summary("weighted_cosine", MEASURES["alignment"], "range-weighted cosine", "−1 to 1", weighted=True),
    Summary("mean_cosine", MEASURES["alignment"], "mean cosine", "−1 to 1"),
    Summary("fraction_positive", MEASURES["alignment"], "fraction positive", "0 to 1", null=0.5),
    Summary("mean_gain", MEASURES["gain"], "mean gain"),
    Summary("advantage", MEASURES["advantage"]),
)
MAIN = SUMMARIES[0]


def floors(floor: NoiseFloor, sets: Sequence[np.ndarray]) -> dict[Summary, np.ndarray]:
    """Every summary over each of some sets of points, given by their numbers, in each shuffle of success, (S, B)."""
    sums = floor.sums(lambda scores: [term for summary in SUMMARIES for term in summary.terms(scores)], sets)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[:, 0::2] / sums[:, 1::2]
    return {summary: means[:, number].T for number, summary in enumerate(SUMMARIES)}


def estimates(points: pd.DataFrame, seed: int = SEED) -> dict[str, Estimate]:
    """All summaries of some decision points of one teacher, by key; a row a decision point."""
    return {summary.key: summary.estimate(points, seed) for summary in SUMMARIES}


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
