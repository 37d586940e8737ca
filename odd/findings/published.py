"""Numbers from the paper to show next to findings, by row and quantity, for one of its students and benchmarks."""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from odd.findings.choices import Reference
from odd.findings.model import ALL_TEACHERS, Published
from odd.findings.outcomes import GAP
from odd.findings.paper import published
from odd.findings.selection import EVERY, SAME

Numbers = dict[tuple[str, ...], dict[str, Published]]

REFERENCES: dict[Reference, tuple[str, str]] = {
    "0.6B-BoolQ": ("Qwen3-0.6B", "BoolQ"),
    "0.6B-MMLU": ("Qwen3-0.6B", "MMLU"),
    "1.7B-BoolQ": ("Qwen3-1.7B", "BoolQ"),
    "1.7B-MMLU": ("Qwen3-1.7B", "MMLU"),
}
"""Student and benchmark in the paper, by their key in links."""
ALIASES = {"Self-1C (32B)": ("Self-1C (32B)", "Self-1C(L)", "Self-1C (L)")}
"""Names used here for teachers of the paper, where they differ."""
ONE_BENCHMARK = "BoolQ"
"""The only benchmark of tables 3 and 6."""


def reference_name(reference: Reference) -> str:
    """Display name of a student and benchmark of the paper; "nothing" for none."""
    return ", ".join(REFERENCES[reference]) if reference in REFERENCES else "nothing"


def _rows(table: int, student: str, benchmark: str) -> Iterable[dict[Any, Any]]:
    frame = published(table)
    of = frame["student"] == student
    of &= (frame["benchmark"] == benchmark) if "benchmark" in frame else benchmark == ONE_BENCHMARK
    return frame[of].to_dict("records")


def _names(teacher: str) -> tuple[str, ...]:
    return ALIASES.get(teacher, (teacher,))


def ranking(student: str, benchmark: str) -> Numbers:
    """Numbers from tables 1 and 3."""
    found: Numbers = {}
    for row in _rows(1, student, benchmark):
        for name in _names(row["teacher"]):
            found[(name,)] = {"mean_cosine": Published(row["mean_cosine"], row["half_width"])}
    for row in _rows(3, student, benchmark):
        for name in _names(row["teacher"]):
            both = {key: Published(row[key]) for key in ("fraction_positive", "weighted_cosine")}
            found[(name,)] = found.get((name,), {}) | both
    return found


def outcomes(student: str, benchmark: str) -> Numbers:
    """Numbers from tables 4 and 6."""
    found: Numbers = {}
    kinds = {"correct": "correct paths", "incorrect": "incorrect paths"}
    for row in _rows(4, student, benchmark):
        key = str(row["metric"]).removeprefix("teacher_")
        for column, text in kinds.items():
            found.setdefault((ALL_TEACHERS, text), {})[key] = Published(row[column])
        # the paper subtracts incorrect from correct
        gap = Published(-row["delta"], note=f"p {row['p_value']}")
        found.setdefault((ALL_TEACHERS, GAP), {})[key] = gap
    for row in _rows(6, student, benchmark):
        for name in _names(row["teacher"]):
            for column, text in kinds.items():
                found[name, text] = {"mean_cosine": Published(row[column])}
            found[name, GAP] = {"mean_cosine": Published(-row["delta"])}
    return found


def correlations(student: str, benchmark: str) -> Numbers:
    """Numbers from table 5."""
    found: Numbers = {}
    for row in _rows(5, student, benchmark):
        feature = "normalised_depth" if row["feature"] == "depth" else str(row["feature"])
        names = (ALL_TEACHERS,) if row["teacher"] == "all" else _names(row["teacher"])
        for name in names:
            found.setdefault((name,), {})[feature] = Published(row["rho"])
    return found


def selection(student: str, benchmark: str) -> Numbers:
    """Numbers from table 2."""
    found: Numbers = {}
    for row in _rows(2, student, benchmark):
        kept = EVERY if pd.isna(row["threshold"]) else f"cosine > {row['threshold']:g}"
        cells = {"signal": Published(row["mean_signal"], row["half_width"])}
        cells["kept"] = Published(row["tokens_kept_pct"] / 100)
        if not pd.isna(row["paths_better_pct"]):
            cells["improved"] = Published(row["paths_better_pct"] / 100)
        found[ALL_TEACHERS, kept, SAME] = cells
    return found
