"""Records of findings: rows of estimates, sentences, and the decision points behind each row.

A `Kind` describes a finding and how to compute it from the evidence of one run; the result is a `Found`.
`odd.findings.compose` combines the results of several runs.
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
        key: short name, used in files.
        name: display name.
        unit: unit.
        null: the value that means no effect; NaN if there is none.
        digits: decimals.
        judged: whether values above the null help and values below it harm.
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
        floor: central 95% of the estimate if teacher and success were unrelated; None if not computed.
        tests: further p-values, by name.
        note: a further line of text.
        null: the value that means no effect, if it differs from the quantity's.
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
        labels: one text per label column of the kind.
        cells: cells by quantity key.
        points: numbers of the evidence's points behind the row.
        outcome: outcome of the paths on which the points are shown; None for the selected one.
        at: other view parameters under which the points are shown.
    """

    labels: tuple[str, ...]
    cells: Mapping[str, Cell]
    points: np.ndarray
    outcome: Outcome | None = None
    at: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Identifier of the row in links."""
        return " · ".join(self.labels)


@dataclass(frozen=True, eq=False)
class Found:
    """Result of a kind of finding for one run.

    Attributes:
        rows: rows of the table.
        sentences: the result as plain text with untrusted names; the first sentence is the main one.
        drawn: further data for the figure.
    """

    rows: tuple[Row, ...]
    sentences: tuple[str, ...]
    drawn: Any = None


@dataclass(frozen=True)
class Published:
    """A number from the paper.

    Attributes:
        value: as printed.
        half_width: half-width of its interval; NaN if none is printed.
        note: text printed next to it.
    """

    value: float
    half_width: float = float("nan")
    note: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Attributes:
        key: short name, used in files and links.
        section: section of the page.
        title: heading.
        about: one or two sentences of description; trusted text.
        labels: names of the label columns.
        quantities: columns of estimates.
        find: computes it from the evidence of a run.
        figure: name of its figure in `odd.views.finding_figures`.
        outcomes: whether the outcome filter applies.
        tables: numbers of the corresponding tables in the paper.
        published: given student and benchmark, the paper's numbers by row labels and quantity key.
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
"""Numbers from the paper by row labels and quantity key."""


def interval_of(values: np.ndarray, level: float = 0.95) -> tuple[float, float] | None:
    """Central interval of the samples of a noise floor; None if all are NaN."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def known(estimates: Sequence[Estimate]) -> list[Estimate]:
    """Estimates with a defined value."""
    return [one for one in estimates if one.value == one.value]
