"""The shape of a finding: rows with estimates, sentences, and the points behind each row.

A `Kind` says once what a finding is and how it is found in the evidence of one run. What it finds
in a run is a `Found`; `odd.findings.compose` puts those of all chosen runs together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from odd.findings.choices import Outcome, Section
from odd.findings.evidence import Evidence
from odd.findings.statistics import Estimate

ALL_TEACHERS = "all teachers"


@dataclass(frozen=True)
class Quantity:
    """A column of estimates.

    Attributes:
        key: short name, for files.
        name: in words.
        unit: of it.
        null: the value that means no effect; NaN if there is none.
        digits: after the point.
        judged: whether above the null value helps and below it harms.
    """

    key: str
    name: str
    unit: str
    null: float = 0.0
    digits: int = 3
    judged: bool = True


@dataclass(frozen=True)
class Cell:
    """An estimate in a row.

    Attributes:
        estimate: the number.
        floor: where 95% of it would lie if teacher and success were unrelated; None where that is not asked.
        tests: further p-values, by name.
        note: a further line in words.
        null: the value that means no effect, where it is not the quantity's.
    """

    estimate: Estimate
    floor: tuple[float, float] | None = None
    tests: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    null: float | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """A row of a finding.

    Attributes:
        labels: what it is of, one text for each of the kind's label columns.
        cells: estimates by key of the quantity.
        points: numbers of the evidence's points behind it.
        outcome: paths that the points are shown on.
        at: other parts of the view under which the points are shown.
    """

    labels: tuple[str, ...]
    cells: Mapping[str, Cell]
    points: np.ndarray
    outcome: Outcome | None = None
    at: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What the row is called in a link."""
        return " · ".join(self.labels)


@dataclass(frozen=True, eq=False)
class Found:
    """What a kind of finding is in one run.

    Attributes:
        rows: its table.
        sentences: what it shows, in plain text that holds untrusted names; the first is the main one.
        drawn: what its figure needs beside the rows.
    """

    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    drawn: Any = None


@dataclass(frozen=True)
class Published:
    """A number of the paper.

    Attributes:
        value: as printed.
        half_width: of its interval; NaN where none is printed.
        note: what is printed beside it.
    """

    value: float
    half_width: float = float("nan")
    note: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        key: short name, for files and links.
        section: part of the page it stands in.
        title: heading.
        about: what is looked at, in a sentence or two of our own.
        labels: names of the label columns.
        quantities: columns of estimates.
        find: finds it in the evidence of a run.
        figure: how it is drawn, a name of `odd.views.finding_figures`.
        outcomes: whether the chosen path outcome filters it.
        tables: of the paper that it stands beside.
        published: numbers of the paper by row labels and key of the quantity, for student and benchmark.
    """

    key: str
    section: Section
    title: str
    about: str
    labels: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    find: Callable[[Evidence], Found]
    figure: str = "estimates"
    outcomes: bool = True
    tables: tuple[int, ...] = ()
    published: Callable[[str, str], "Marks"] | None = None


Marks = Mapping[tuple[str, ...], Mapping[str, Published]]
"""Numbers of the paper by row labels and key of the quantity."""


def interval_of(values: np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """Central range of what a noise floor holds; None without any."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def known(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Those with a value."""
    return [one for one in estimates if one.value == one.value]
