"""Means of measures over decision points (method §7), with intervals over questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odd.config import USUAL
from odd.errors import OddError
from odd.findings.statistics import (
    COSINE,
    SHARE,
    Estimate,
    NoiseFloor,
    Scores,
    cluster_difference,
    cluster_estimate,
    cluster_means,
    positive,
    wilcoxon_p,
)
from odd.method.measures import MEASURES, Measure


@dataclass(frozen=True)
class Summary:
    """A mean over decision points.

    Attributes:
        key: short name.
        of: the measure that is averaged.
        name: display name; defaults to the measure's.
        unit: unit; defaults to the measure's.
        null: the value that means no effect.
        weighted: whether to weight by success range.
        limits: lowest and highest possible value.
    """

    key: str
    of: Measure
    name: str = ""
    unit: str = ""
    null: float = 0.0
    weighted: bool = False
    limits: tuple[float, float] = COSINE

    def __post_init__(self) -> None:
        """Default name and unit to the measure's."""
        object.__setattr__(self, "name", self.name or self.of.name)
        object.__setattr__(self, "unit", self.unit or self.of.unit)

    @property
    def column(self) -> str:
        """Column of the scores that is averaged."""
        return self.of.column

    @property
    def judged(self) -> bool:
        """Whether values above the null help and values below it harm."""
        return self.of.better is True

    def values_of(self, points: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Values and weights at the given points; weights are None if unweighted."""
        values = points[self.column].to_numpy(float)
        return self._values(values), points["success_range"].to_numpy(float) if self.weighted else None

    def estimate(self, points: pd.DataFrame) -> Estimate:
        """Mean with its interval over questions."""
        values, weights = self.values_of(points)
        return cluster_estimate(values, points["question"].to_numpy(), weights, null=self.null, limits=self.limits)

    def difference(self, points: pd.DataFrame, group: np.ndarray) -> Estimate:
        """Mean of a group minus the mean of the rest."""
        values, weights = self.values_of(points)
        return cluster_difference(values, points["question"].to_numpy(), group, weights)

    def by_question(self, points: pd.DataFrame) -> dict[int, float]:
        """Mean per question, for questions that have one."""
        values, weights = self.values_of(points)
        return cluster_means(values, points["question"].to_numpy(), weights)

    def wilcoxon(self, points: pd.DataFrame) -> float:
        """p-value of a signed-rank test of the per-question means against the null value."""
        return wilcoxon_p([value - self.null for value in self.by_question(points).values()])

    def wilcoxon_difference(self, one: pd.DataFrame, other: pd.DataFrame) -> float:
        """p-value of a signed-rank test of the per-question differences between two means."""
        means, others = self.by_question(one), self.by_question(other)
        return wilcoxon_p([means[name] - others[name] for name in means.keys() & others.keys()])

    def terms(self, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
        """Numerator and denominator terms of the mean; 0 where a score is undefined."""
        column = getattr(scores, self.column)
        known = ~np.isnan(column)
        weights = np.where(known, scores.success_range, 0) if self.weighted else known.astype(np.float32)
        return np.where(known, self._values(column), 0) * weights, weights

    def _values(self, values: np.ndarray) -> np.ndarray:
        return positive(values) if self.key == "fraction_positive" else values


SUMMARIES = (
    Summary("weighted_cosine", MEASURES["alignment"], "range-weighted cosine", "−1 to 1", weighted=True),
    Summary("mean_cosine", MEASURES["alignment"], "mean cosine", "−1 to 1"),
    Summary("fraction_positive", MEASURES["alignment"], "fraction positive", "0 to 1", null=0.5, limits=SHARE),
    Summary("mean_gain", MEASURES["gain"], "mean gain"),
    Summary("advantage", MEASURES["advantage"]),
)
MAIN = SUMMARIES[0]


def floors(floor: NoiseFloor, sets: Sequence[np.ndarray]) -> dict[Summary, np.ndarray]:
    """Every summary over sets of points, given by their numbers, in each shuffle of success, (S, B)."""
    sums = floor.sums(lambda scores: [term for summary in SUMMARIES for term in summary.terms(scores)], sets)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[:, 0::2] / sums[:, 1::2]
    return {summary: means[:, number].T for number, summary in enumerate(SUMMARIES)}


def estimates(points: pd.DataFrame) -> dict[str, Estimate]:
    """All summaries over decision points of one teacher, by key; `points` has one row per decision point."""
    return {summary.key: summary.estimate(points) for summary in SUMMARIES}


def chosen_measure(known: pd.DataFrame, run_id: str, objective: str | None, convention: str | None) -> tuple[str, str]:
    """Choose objective and convention: the requested labels, else the usual ones, else the first of the run.

    Args:
        known: result of the query `measures`.
        run_id: id of the run.
        objective: requested label, if any.
        convention: requested label, if any.

    Raises:
        OddError: the run has no such objective or convention; the message lists those it has.
    """
    chosen = []
    for column, wanted in (("objective", objective), ("convention", convention)):
        options = known[column].unique().tolist()
        if options and wanted is not None and wanted not in options:
            raise OddError(f"run {run_id}: no {column} {wanted!r}; it has {', '.join(options)}")
        usual = USUAL[column] if not options or USUAL[column] in options else options[0]
        chosen.append(usual if wanted is None else wanted)
    return chosen[0], chosen[1]
