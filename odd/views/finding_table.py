"""The table of a finding for the component `table`; each row links to the tokens behind it."""

from typing import Any

from odd.findings.compose import Finding, lines
from odd.findings.model import Row
from odd.text import visible_text
from odd.views.links import ViewState

WIDTH = 176
"""Width of a column of estimates, in pixels."""
NARROW = 118


def row_name(finding: Finding, row: Row) -> str:
    """Identifier of a row in links."""
    return f"{finding.kind.key}:{row.key}"


def table_payload(finding: Finding, view: ViewState) -> dict[str, Any]:
    """Payload of the component: label columns, then one column per quantity and run."""
    several = len(finding.founds) > 1
    columns: list[dict[str, Any]] = [{"kind": "text", "title": name, "min": 110, "grow": 1}
                                     for name in finding.kind.labels]  # fmt: skip
    for quantity in finding.kind.quantities:
        for name in finding.founds:
            note = f"{quantity.unit} · {visible_text(name)}" if several else quantity.unit
            width = WIDTH if quantity.judged or len(finding.kind.quantities) < 4 else NARROW + 30
            columns.append({"kind": "lines", "title": quantity.name, "note": note, "min": width, "grow": 1})
    columns.append({"kind": "text", "title": "n", "min": 62})
    return {
        "label": finding.kind.title,
        "action": "List the tokens behind this row",
        "caption": "Click a row to list the tokens behind it.",
        "nothing": "No rows.",
        "columns": columns,
        "rows": _rows(finding, view),
        "linked": 0,
        "sort": "",
        "chosen": view.behind,
        "link": {"page": "findings", "query": view.pairs()},
    }


def merged(finding: Finding) -> dict[tuple[str, ...], dict[str, Row]]:
    """Rows of all runs, by labels and run name."""
    rows: dict[tuple[str, ...], dict[str, Row]] = {}
    for name, found in finding.founds.items():
        for row in found.rows:
            rows.setdefault(row.labels, {})[name] = row
    return rows


def _rows(finding: Finding, view: ViewState) -> list[dict[str, Any]]:
    drawn = []
    for labels, rows in merged(finding).items():
        first = next(iter(rows.values()))
        cells: list[Any] = [visible_text(label) for label in labels]
        for quantity in finding.kind.quantities:
            for at, name in enumerate(finding.founds):
                printed = finding.marks.get(labels, {}).get(quantity.key) if at == 0 else None
                cell = rows[name].cells.get(quantity.key) if name in rows else None
                cells.append(lines(quantity, cell, printed))
        counts = [max((cell.estimate.n for cell in row.cells.values()), default=0) for row in rows.values()]
        cells.append(" / ".join(f"{count:,}" for count in counts))
        drawn.append({"key": row_name(finding, first), "at": destination(finding, first, view), "cells": cells})
    return drawn


def destination(finding: Finding, row: Row, view: ViewState) -> dict[str, Any]:
    """View parameters that list the tokens behind a row; all rows set the same parameters."""
    return {"convention": view.convention or "", "section": view.section, "behind": row_name(finding, row), **row.at}
