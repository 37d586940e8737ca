"""Correct vs. incorrect paths, overall and per teacher (figure 3, tables 4 and 6)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.choices import Outcome
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row, interval_of
from odd.findings.ranking import falling
from odd.findings.statistics import Estimate, holm, welch_p
from odd.findings.summaries import MAIN, SUMMARIES, Summary

KINDS: tuple[Outcome, ...] = ("correct", "incorrect")
GAP = "incorrect − correct"
Sides = Mapping[Outcome, pd.DataFrame]
"""Scores by outcome of the path; points on paths of both outcomes are in both."""


def find(evidence: Evidence) -> Found:
    """Every measure on correct and on incorrect paths, and the difference; ignores the outcome filter."""
    names = (None, *evidence.scored)
    sides: dict[str | None, Sides] = {
        name: {kind: evidence.scores(evidence.on(kind, name)) for kind in KINDS} for name in names
    }
    both = {name: pd.concat([side["incorrect"], side["correct"]], ignore_index=True) for name, side in sides.items()}
    incorrect = {name: np.arange(len(points)) < len(sides[name]["incorrect"]) for name, points in both.items()}
    gaps = {m: {name: m.difference(both[name], incorrect[name]) for name in names} for m in SUMMARIES}
    tests = {m: _tests(evidence, m, gaps[m], sides) for m in SUMMARIES}
    whole = {name: MAIN.estimate(evidence.scores(evidence.on("all", name))) for name in evidence.scored}
    floors, rows = evidence.floors, []
    for name in (None, *falling(whole)):
        for kind in KINDS:
            own = sides[name][kind]
            cells = {m.key: Cell(m.estimate(own), interval_of(floors[m, kind, name])) for m in SUMMARIES}
            rows.append(Row((name or ALL_TEACHERS, f"{kind} paths"), cells, evidence.on(kind, name), outcome=kind))
        cells = {}
        for m in SUMMARIES:
            floor = interval_of(floors[m, "incorrect", name] - floors[m, "correct", name])
            cells[m.key] = Cell(gaps[m][name], floor, tests[m][name], null=0.0)
        rows.append(Row((name or ALL_TEACHERS, GAP), cells, evidence.on("all", name), outcome="all"))
    return Found(tuple(rows), _sentences(evidence, gaps[MAIN]))


def _tests(
    evidence: Evidence, summary: Summary, gaps: Mapping[str | None, Estimate], sides: Mapping[str | None, Sides]
) -> dict[str | None, dict[str, float]]:
    """Further p-values of the differences, by teacher."""
    corrected = dict(zip(evidence.scored, holm([gaps[name].p for name in evidence.scored]), strict=True))
    paths = path_means(evidence, summary)
    means, correct, teacher = (paths[name].to_numpy() for name in ("mean", "correct", "teacher"))
    found = {}
    for name, side in sides.items():
        own = means if name is None else means[teacher == name]
        right = correct if name is None else correct[teacher == name]
        found[name] = {
            **({} if name is None else {"Holm": corrected[name]}),
            "Wilcoxon": summary.wilcoxon_difference(side["incorrect"], side["correct"]),
            "paper-style over paths": welch_p(own[~right], own[right]),
        }
    return found


def path_means(evidence: Evidence, summary: Summary) -> pd.DataFrame:
    """Mean over decision points of every (path, teacher) pair; NaN without any.

    The paper seems to treat these as independent samples.
    """
    steps, paths = evidence.steps, evidence.path_numbers
    point = steps["point"].to_numpy()
    values, weights = summary.values_of(evidence.points)
    values, weights = values[point], np.ones(len(point)) if weights is None else weights[point]
    counted = steps["decision"].to_numpy() & ~np.isnan(values)
    every = evidence.every_path
    above, below = (np.bincount(paths[counted], one[counted], len(every)) for one in (values * weights, weights))
    with np.errstate(invalid="ignore", divide="ignore"):
        return every.assign(mean=above / below)


def _sentences(evidence: Evidence, gaps: Mapping[str | None, Estimate]) -> tuple[str, ...]:
    if not evidence.scored:
        return (words.NOTHING,)
    counts = {kind: evidence.count_nodes(evidence.on(kind)) for kind in KINDS}
    both = sum(counts.values()) - evidence.count_nodes(evidence.on("all"))
    shared = f"; {both:,} are on both and count for each" if both else ""
    return (
        words.outcome_sentence({name or ALL_TEACHERS: gap for name, gap in gaps.items()}, MAIN.name),
        f"{counts['incorrect']:,} decision points are on incorrect and {counts['correct']:,} on correct paths{shared}.",
        "The paper-style test treats the paths of all teachers as independent. They share rollouts and questions, so "
        "it overstates significance; it is shown for comparison only.",
    )
