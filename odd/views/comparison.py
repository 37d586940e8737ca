"""Teachers side by side over all questions: means, and differences on shared nodes.

A table of decisions is a result of the query `decisions`: one row per (question, node, teacher), each node once.
Intervals are over questions (method §7).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from odd.findings.statistics import SHARE, Estimate, cluster_estimate, winners
from odd.findings.summaries import estimates
from odd.findings.written import state

SUMMARIES = {
    "mean": "mean_cosine",
    "positive": "fraction_positive",
    "weighted": "weighted_cosine",
    "gain": "mean_gain",
    "advantage": "advantage",
}
"""Fields of a row of the table, and the keys of their summaries in `odd.findings.summaries`."""
UNKNOWN = Estimate(np.nan, np.nan, np.nan, 0, 0)


@dataclass(frozen=True)
class TeacherRow:
    """Summary of a teacher over all questions.

    Attributes:
        teacher: name.
        mean: mean alignment.
        positive: share of decision points with alignment > 0.
        weighted: mean alignment weighted by success range.
        gain: mean gain.
        advantage: mean advantage.
        difference: mean of alignment minus the baseline's on shared nodes; None for the baseline.
        best: share of the common decision points at which no compared teacher is better aligned; ties are split.
    """

    teacher: str
    mean: Estimate
    positive: Estimate
    weighted: Estimate
    gain: Estimate
    advantage: Estimate
    difference: Estimate | None
    best: Estimate


@dataclass(frozen=True)
class Comparison:
    """All compared teachers, the best aligned first.

    Attributes:
        rows: one per teacher; those without any alignment come last.
        baseline: name of the baseline.
        questions: number of questions with decision points.
        nodes: number of decision points.
        common: number of decision points with an alignment under every teacher that has any at all.
        pairs: mean difference on shared nodes, first minus second teacher, by both names.
    """

    rows: tuple[TeacherRow, ...]
    baseline: str
    questions: int
    nodes: int
    common: int
    pairs: dict[tuple[str, str], Estimate]

    @property
    def order(self) -> list[str]:
        """Names of the teachers, the best aligned first."""
        return [row.teacher for row in self.rows]


def compare(decisions: pd.DataFrame, teachers: Sequence[str], baseline: str) -> Comparison:
    """Summarise the teachers over all questions.

    Args:
        decisions: decisions under one objective and convention.
        teachers: teachers to compare.
        baseline: one of them.
    """
    wide = _wide(decisions, teachers, "alignment")
    pairs = _pairs(wide)
    shares, common = _best(wide)
    rows = [
        TeacherRow(
            name,
            **_summaries(decisions[decisions["teacher"] == name]),
            difference=None if name == baseline else pairs[name, baseline],
            best=shares[name],
        )
        for name in teachers
    ]
    rows.sort(key=lambda row: -np.inf if np.isnan(row.mean.value) else row.mean.value, reverse=True)
    nodes = decisions.drop_duplicates(["question", "node"])
    return Comparison(tuple(rows), baseline, nodes["question"].nunique(), len(nodes), common, pairs)


def _wide(decisions: pd.DataFrame, teachers: Sequence[str], column: str) -> pd.DataFrame:
    """One row per (question, node), one column per teacher."""
    own = decisions[decisions["teacher"].isin(list(teachers))].drop_duplicates(["question", "node", "teacher"])
    return own.pivot(index=["question", "node"], columns="teacher", values=column).reindex(columns=list(teachers))


def _summaries(own: pd.DataFrame) -> dict[str, Estimate]:
    found = estimates(own)
    return {name: found[key] for name, key in SUMMARIES.items()}


def _pairs(wide: pd.DataFrame) -> dict[tuple[str, str], Estimate]:
    questions = wide.index.get_level_values("question").to_numpy()
    pairs: dict[tuple[str, str], Estimate] = {}
    for one, other in combinations(wide.columns, 2):
        found = cluster_estimate((wide[one] - wide[other]).to_numpy(float), questions)
        pairs[one, other] = found
        pairs[other, one] = replace(found, value=-found.value, low=-found.high, high=-found.low)
    return pairs


def _best(wide: pd.DataFrame) -> tuple[dict[str, Estimate], int]:
    """Share of the common nodes at which each teacher is best aligned, and the number of common nodes."""
    aligned = wide.loc[:, wide.notna().any()].dropna()
    shares = dict.fromkeys(wide.columns, UNKNOWN)
    if aligned.shape[1] < 2 or aligned.empty:
        return shares, len(aligned)
    first = winners(aligned.to_numpy(float))
    questions = aligned.index.get_level_values("question").to_numpy()
    for column, name in enumerate(aligned.columns):
        shares[name] = cluster_estimate(first[:, column], questions, limits=SHARE)
    return shares, len(aligned)


def payload(comparison: Comparison) -> dict[str, Any]:
    """Payload of the component `teacher_table`; NaN becomes None."""
    return {
        "baseline": comparison.baseline,
        "questions": comparison.questions,
        "common": comparison.common,
        "rows": [
            {"teacher": row.teacher} | {name: _plain(getattr(row, name)) for name in (*SUMMARIES, "difference", "best")}
            for row in comparison.rows
        ],
    }


def _plain(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    numbers = {name: None if value != value else value for name, value in asdict(found).items()}
    return numbers | {"sure": state(found) != "open"}


def pair_payload(comparison: Comparison) -> dict[str, Any]:
    """Payload of the component `pair_matrix`: the differences of all pairs; `end` is the limit of the colour scale."""
    order, pairs = comparison.order, comparison.pairs
    cells = [[_plain(pairs.get((one, other))) for other in order] for one in order]
    known = [abs(cell["value"]) for row in cells for cell in row if cell and cell["value"] is not None]
    return {"order": order, "cells": cells, "end": max([0.05, *known])}


def table(comparison: Comparison) -> pd.DataFrame:
    """The rows with every interval and n in separate columns, for download."""
    rows = []
    for row in comparison.rows:
        cells: dict[str, Any] = {"teacher": row.teacher, "baseline": comparison.baseline}
        for name in (*SUMMARIES, "difference", "best"):
            found = getattr(row, name) or UNKNOWN
            cells |= {f"{name}_{part}": value for part, value in asdict(found).items()}
        rows.append(cells)
    return pd.DataFrame(rows)


def pair_table(comparison: Comparison) -> pd.DataFrame:
    """The differences of all pairs, for download."""
    return pd.DataFrame(
        [{"teacher": one, "minus": other, **asdict(found)} for (one, other), found in comparison.pairs.items()],
        columns=["teacher", "minus", "value", "low", "high", "n", "clusters"],
    )


def other_teacher(comparison: Comparison, wanted: str | None) -> str | None:
    """The teacher to compare with the baseline in detail: the wanted one, else the one that differs most, else None."""
    others = [name for name in comparison.order if name != comparison.baseline]
    if wanted in others:
        return wanted
    if not others:
        return None
    distances = {name: abs(comparison.pairs[name, comparison.baseline].value) for name in others}
    return max(others, key=lambda name: -1.0 if np.isnan(distances[name]) else distances[name])
