"""Correct against incorrect paths, overall and for each teacher (figure 3, tables 4 and 6)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row, interval_of
from odd.findings.ranking import falling
from odd.links import Outcome
from odd.measures import MAIN, MEASURES, Measure
from odd.statistics import Estimate, holm, welch_p

KINDS: tuple[Outcome, ...] = ("correct", "incorrect")
GAP = "incorrect − correct"


def find(evidence: Evidence) -> Found:
    """Every measure on both kinds of path, and their difference, whatever outcome is chosen."""
    gaps = {m: {name: _gap(evidence, m, name) for name in (None, *evidence.scored)} for m in MEASURES}
    corrected = {
        m: dict(zip(evidence.scored, holm([gaps[m][name].p for name in evidence.scored]), strict=True))
        for m in MEASURES
    }
    order = [name for name in falling(_estimates(evidence, MAIN)) if name in evidence.scored]
    rows = []
    for name in (None, *order):
        for kind in KINDS:
            points = evidence.on(kind, name)
            own = evidence.points.iloc[points]
            cells = {m.key: Cell(m.estimate(own), interval_of(m.floor(evidence.floor, points))) for m in MEASURES}
            rows.append(Row((name or ALL_TEACHERS, f"{kind} paths"), cells, points, outcome=kind))
        cells = {m.key: _difference(evidence, m, name, gaps[m][name], corrected[m].get(name or "")) for m in MEASURES}
        rows.append(Row((name or ALL_TEACHERS, GAP), cells, evidence.on("all", name), outcome="all"))
    return Found(tuple(rows), _sentences(evidence, gaps[MAIN]))


def _estimates(evidence: Evidence, measure: Measure) -> dict[str, Estimate]:
    points = evidence.points
    return {name: measure.estimate(points.iloc[evidence.on("all", name)]) for name in evidence.teachers}


def _sides(evidence: Evidence, teacher: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the points on incorrect and on correct paths; those on both are in both."""
    return evidence.on("incorrect", teacher), evidence.on("correct", teacher)


def _gap(evidence: Evidence, measure: Measure, teacher: str | None) -> Estimate:
    incorrect, correct = _sides(evidence, teacher)
    points = evidence.points.iloc[np.concatenate([incorrect, correct])]
    return measure.difference(points, np.arange(len(points)) < len(incorrect))


def _difference(
    evidence: Evidence, measure: Measure, teacher: str | None, gap: Estimate, corrected: float | None
) -> Cell:
    """The difference with its noise floor and tests."""
    incorrect, correct = _sides(evidence, teacher)
    floor = measure.floor(evidence.floor, incorrect) - measure.floor(evidence.floor, correct)
    tests = {} if corrected is None else {"Holm": corrected}
    points = evidence.points
    tests["Wilcoxon"] = measure.wilcoxon_difference(points.iloc[incorrect], points.iloc[correct])
    tests["paper-style over paths"] = over_paths(evidence.steps[evidence.steps["decision"]], measure, teacher)
    return Cell(gap, interval_of(floor), tests, null=0.0)


def over_paths(steps: pd.DataFrame, measure: Measure, teacher: str | None) -> float:
    """Welch test that takes each path under each teacher for an independent sample, as the paper seems to do."""
    own = steps if teacher is None else steps[steps["teacher"] == teacher]
    values, weights = measure.of(own)
    weights = np.ones(len(own)) if weights is None else weights
    known = ~np.isnan(values)
    frame = own[["question", "path", "teacher", "correct"]][known].assign(
        above=(values * weights)[known], below=weights[known]
    )
    sums = frame.groupby(["question", "path", "teacher", "correct"])[["above", "below"]].sum().reset_index()
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (sums["above"] / sums["below"]).to_numpy(float)
    correct = sums["correct"].to_numpy(bool)
    return welch_p(means[~correct], means[correct])


def _sentences(evidence: Evidence, gaps: Mapping[str | None, Estimate]) -> tuple[str, ...]:
    if not evidence.scored:
        return (words.NOTHING,)
    counts = {kind: evidence.points.iloc[evidence.on(kind)].groupby(["question", "node"]).ngroups for kind in KINDS}
    both = sum(counts.values()) - evidence.points.iloc[evidence.on("all")].groupby(["question", "node"]).ngroups
    shared = f"; {both:,} lie on both and count for each" if both else ""
    return (
        words.outcome_sentence({name or ALL_TEACHERS: gap for name, gap in gaps.items()}, MAIN.name),
        f"{counts['incorrect']:,} decision points lie on incorrect and {counts['correct']:,} on correct paths{shared}.",
        "The paper-style test takes the paths of all teachers for independent; they share rollouts and questions, so "
        "it says too much and stands beside the others for comparison only.",
    )
