"""Combine a finding across runs: sentences and tables, next to the numbers of the paper."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from odd.findings.choices import Outcome, Reference
from odd.findings.evidence import Evidence
from odd.findings.model import Cell, Found, Kind, Marks, Published, Quantity
from odd.findings.published import REFERENCES, reference_name
from odd.findings.words import short
from odd.findings.written import number, p_value, written


@dataclass(frozen=True, eq=False)
class Finding:
    """A finding of one or more runs.

    Attributes:
        kind: kind of finding.
        title: heading.
        sentences: main sentence per run, plain text with untrusted names; each names its run if there are several.
        notes: further sentences of all runs.
        founds: results by run name.
        marks: numbers from the paper.
        reference: display name of their student and benchmark; empty without numbers.
    """

    kind: Kind
    title: str
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    founds: Mapping[str, Found]
    marks: Marks
    reference: str


def compose(kind: Kind, founds: Mapping[str, Found], outcome: Outcome, reference: Reference) -> Finding:
    """Combine the results of several runs.

    Args:
        kind: kind of finding.
        founds: results by run name, the current run first.
        outcome: selected outcome of the paths.
        reference: student and benchmark of the paper to compare with.
    """
    marks: Marks = {}
    if kind.published is not None and reference in REFERENCES:
        marks = kind.published(*REFERENCES[reference])
    beside = reference_name(reference) if marks else ""
    title = f"{kind.title} ({outcome} paths)" if kind.outcomes and outcome != "all" else kind.title
    said = [
        [text if len(founds) == 1 else f"{short(name)}: {text}" for text in found.sentences]
        for name, found in founds.items()
    ]
    sentences, notes = tuple(texts[0] for texts in said), tuple(text for texts in said for text in texts[1:])
    return Finding(kind, title, sentences, notes, founds, marks, beside)


def find(kind: Kind, evidences: Mapping[str, Evidence], reference: Reference) -> Finding:
    """Compute a kind of finding for several runs and combine the results."""
    founds = {name: kind.find(evidence) for name, evidence in evidences.items()}
    outcome = next(iter(evidences.values())).filters.outcome
    return compose(kind, founds, outcome, reference)


def numbers(finding: Finding) -> pd.DataFrame:
    """All numbers of a finding for export, with one row per run and row."""
    kind, rows = finding.kind, []
    for name, found in finding.founds.items():
        for row in found.rows:
            cells: dict[str, object] = {"run": name, **dict(zip(kind.labels, row.labels, strict=True))}
            for quantity in kind.quantities:
                printed = finding.marks.get(row.labels, {}).get(quantity.key)
                cells |= _flat(quantity.key, row.cells.get(quantity.key), printed)
            rows.append(cells | {"points": len(row.points)})
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _flat(key: str, cell: Cell | None, printed: Published | None) -> dict[str, object]:
    if cell is None:
        return {}
    one = cell.estimate
    flat: dict[str, object] = {key: one.value, f"{key}_low": one.low, f"{key}_high": one.high}
    flat |= {f"{key}_n": one.n, f"{key}_questions": one.clusters, f"{key}_p": one.p}
    flat |= {f"{key}_p_{name.lower().replace(' ', '_').replace('-', '_')}": p for name, p in cell.tests.items()}
    if cell.floor is not None:
        flat |= {f"{key}_floor_low": cell.floor[0], f"{key}_floor_high": cell.floor[1]}
    if printed is not None:
        flat |= {f"{key}_published": printed.value, f"{key}_published_half_width": printed.half_width}
    return flat


def lines(quantity: Quantity, cell: Cell | None, printed: Published | None) -> list[str]:
    """Lines of text of a cell: the estimate, then p-values, noise floor, note and the paper's number."""
    if cell is None:
        return [] if printed is None else [_printed(quantity, quantity.null, printed)]
    null = quantity.null if cell.null is None else cell.null
    found = [written(cell.estimate, quantity.digits, null)]
    tests = {"p": cell.estimate.p, **cell.tests} if null == null else {}
    if said := [f"{name} {p_value(p)}" for name, p in tests.items() if p == p]:
        found.append(" · ".join(said))
    if cell.floor is not None:
        low, high = (number(end, quantity.digits, null) for end in cell.floor)
        found.append(f"noise {low} to {high}")
    if cell.note:
        found.append(cell.note)
    if printed is not None:
        found.append(_printed(quantity, null, printed))
    return found


def _printed(quantity: Quantity, null: float, printed: Published) -> str:
    text = f"paper {number(printed.value, quantity.digits, null)}"
    if printed.half_width == printed.half_width:
        text += f" ± {printed.half_width:.{quantity.digits}f}"
    return f"{text}, {printed.note}" if printed.note else text


def shown(finding: Finding) -> pd.DataFrame:
    """The finding as a table of texts, with one column per quantity and run."""
    kind, several = finding.kind, len(finding.founds) > 1
    tables = {name: {row.labels: row for row in found.rows} for name, found in finding.founds.items()}
    keys = list(dict.fromkeys(labels for table in tables.values() for labels in table))
    rows = []
    for labels in keys:
        cells = dict(zip(kind.labels, labels, strict=True))
        for quantity in kind.quantities:
            for at, (name, table) in enumerate(tables.items()):
                printed = finding.marks.get(labels, {}).get(quantity.key) if at == 0 else None
                cell = table[labels].cells.get(quantity.key) if labels in table else None
                column = f"{quantity.name}, {name}" if several else quantity.name
                cells[column] = "; ".join(lines(quantity, cell, printed)) or "–"
        first = [table[labels].cells for table in tables.values() if labels in table]
        counts = [max((cell.estimate.n for cell in found.values()), default=0) for found in first]
        rows.append(cells | {"n": " / ".join(f"{count:,}" for count in counts)})
    return pd.DataFrame(rows)
