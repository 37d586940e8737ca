"""Figures of findings; `Kind.figure` names one of them."""

from collections.abc import Callable, Mapping, Sequence

import plotly.graph_objects as go

from odd.findings.compose import Finding
from odd.findings.distribution import BINS
from odd.findings.model import ALL_TEACHERS, Cell, Found, Kind, Marks, Quantity, Row
from odd.findings.open_signs import CURVE, GOAL
from odd.findings.outcomes import GAP, KINDS
from odd.findings.statistics import Estimate
from odd.views.figures.conventions import convention_map
from odd.views.figures.distribution import histograms
from odd.views.figures.findings import GAP as GAP_LOOK
from odd.views.figures.findings import PATHS, Look, dots, run_looks
from odd.views.figures.panels import Panel
from odd.views.figures.settling import settling_curves

Table = Mapping[tuple[str, ...], Row]


def estimates(
    kind: Kind,
    founds: Mapping[str, Found],
    marks: Marks,
    reference: str,
    keep: Callable[[Row], bool] = lambda row: True,
) -> go.Figure:
    """One panel per quantity, one dot per row; several runs are shown side by side in each row."""
    tables = {name: {row.labels: row for row in found.rows if keep(row)} for name, found in founds.items()}
    keys = _keys(tables)
    panels = [_panel(quantity, tables, keys, marks) for quantity in kind.quantities]
    looks = run_looks(list(tables)) if len(tables) > 1 else None
    return dots(_names(keys), [panels], looks, _axis(kind, keys), reference)


def all_teachers(kind: Kind, founds: Mapping[str, Found], marks: Marks, reference: str) -> go.Figure:
    """Like `estimates`, for the rows over all teachers only; single teachers are in the table."""
    return estimates(kind, founds, marks, reference, lambda row: ALL_TEACHERS in row.labels)


def outcomes(kind: Kind, founds: Mapping[str, Found], marks: Marks, reference: str) -> go.Figure:
    """Correct and incorrect paths, with the difference below; for several runs, only the difference."""
    gaps = {name: {row.labels[:1]: row for row in found.rows if row.labels[1] == GAP} for name, found in founds.items()}
    keys = _keys(gaps)
    own = {key[:1]: cells for key, cells in marks.items() if key[1] == GAP}
    changes = [
        Panel(f"Δ {q.name}", q.unit, 0.0, panel.series, panel.floors, panel.published, judged=False)
        for q in kind.quantities
        for panel in [_panel(q, gaps, keys, own)]
    ]
    if len(founds) > 1:
        return dots(_names(keys), [changes], run_looks(list(founds)), "teacher", reference)
    (name, found), *_ = founds.items()
    sides = {side: {row.labels[:1]: row for row in found.rows if row.labels[1] == f"{side} paths"} for side in KINDS}
    panels = [
        Panel(q.name, q.unit, q.null, {side: [_estimate(sides[side].get(key), q) for key in keys] for side in KINDS})
        for q in kind.quantities
    ]
    changes = [
        Panel(p.title, p.unit, 0.0, {"gap": p.series[name]}, {"gap": p.floors[name]}, p.published, False)
        for p in changes
    ]
    looks: dict[str, Look] = {**PATHS, "gap": GAP_LOOK}
    return dots(_names(keys), [panels, changes], looks, "teacher", reference)


def distribution(kind: Kind, founds: Mapping[str, Found], marks: Marks, reference: str) -> go.Figure:
    """Histograms of the alignment."""
    del kind, marks, reference
    return histograms(BINS.tolist(), {name: found.drawn or {} for name, found in founds.items()})


def sensitivity(kind: Kind, founds: Mapping[str, Found], marks: Marks, reference: str) -> go.Figure:
    """Heat map over conventions and teachers."""
    del kind, marks, reference
    return convention_map({name: found.drawn or {} for name, found in founds.items()})


def settling(kind: Kind, founds: Mapping[str, Found], marks: Marks, reference: str) -> go.Figure:
    """Curves over the number of rollouts."""
    del kind, marks, reference
    return settling_curves(CURVE.tolist(), {name: found.drawn or {} for name, found in founds.items()}, GOAL)


FIGURES = {
    "estimates": estimates,
    "all_teachers": all_teachers,
    "outcomes": outcomes,
    "distribution": distribution,
    "sensitivity": sensitivity,
    "settling": settling,
}
"""Functions that draw a kind of finding, by name."""


def figure_of(finding: Finding) -> go.Figure | None:
    """Figure of a finding; None if no run has any rows."""
    filled = {name: found for name, found in finding.founds.items() if found.rows}
    if not filled:
        return None
    return FIGURES[finding.kind.figure](finding.kind, filled, finding.marks, finding.reference)


def _shared(keys: Sequence[tuple[str, ...]]) -> set[int]:
    """Label columns that are the same in all of several rows."""
    return {at for at in range(len(keys[0])) if len({key[at] for key in keys}) == 1} if len(keys) > 1 else set()


def _axis(kind: Kind, keys: Sequence[tuple[str, ...]]) -> str:
    return " · ".join(name for at, name in enumerate(kind.labels) if at not in _shared(keys))


def _keys(tables: Mapping[str, Table]) -> list[tuple[str, ...]]:
    """Labels of all rows, in order of appearance."""
    return list(dict.fromkeys(labels for table in tables.values() for labels in table))


def _names(keys: Sequence[tuple[str, ...]]) -> list[str]:
    """One text per row, without shared labels."""
    return [" · ".join(part for at, part in enumerate(key) if at not in _shared(keys)) for key in keys]


def _estimate(row: Row | None, quantity: Quantity) -> Estimate | None:
    cell = _cell(row, quantity)
    return None if cell is None else cell.estimate


def _cell(row: Row | None, quantity: Quantity) -> Cell | None:
    return None if row is None else row.cells.get(quantity.key)


def _panel(quantity: Quantity, tables: Mapping[str, Table], keys: Sequence[tuple[str, ...]], marks: Marks) -> Panel:
    cells = {name: [_cell(table.get(key), quantity) for key in keys] for name, table in tables.items()}
    printed = [marks.get(key, {}).get(quantity.key) for key in keys]
    return Panel(
        quantity.name,
        quantity.unit,
        quantity.null,
        {name: [None if cell is None else cell.estimate for cell in row] for name, row in cells.items()},
        {name: [None if cell is None else cell.floor for cell in row] for name, row in cells.items()},
        [None if one is None else (one.value, one.half_width) for one in printed],
        quantity.judged,
        quantity.digits,
    )
