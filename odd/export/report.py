"""Export all findings of one or more runs as text, Markdown and CSV files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from odd.errors import writing
from odd.export.tables import csv
from odd.findings.choices import Reference
from odd.findings.compose import Finding, find, numbers, shown
from odd.findings.evidence import Evidence
from odd.findings.kinds import KINDS, SECTIONS
from odd.findings.paper import CREDIT
from odd.findings.words import basis
from odd.text import markdown_escaped, visible_text


def every_finding(evidences: Mapping[str, Evidence], reference: Reference) -> list[Finding]:
    """Compute all findings of runs, given by name, in page order."""
    return [find(kind, evidences, reference) for kind in KINDS]


def heading(evidences: Mapping[str, Evidence]) -> list[str]:
    """Lines that describe filters and runs; plain text with untrusted names."""
    chosen = next(iter(evidences.values())).filters
    parts = [chosen.objective, chosen.convention, f"{chosen.outcome} paths", f"{chosen.difficulty} questions"]
    parts += [f"answers of kind {chosen.kind}"] if chosen.kind else []
    return [
        ", ".join(visible_text(part or "–") for part in parts),
        *(f"{visible_text(name)}: run {visible_text(one.run.run_id)}. {basis(one)}" for name, one in evidences.items()),
    ]


def as_text(evidences: Mapping[str, Evidence], findings: Sequence[Finding]) -> str:
    """Format the sentences of the findings as plain text."""
    lines = [*heading(evidences)]
    for section, name in SECTIONS.items():
        lines += ["", name.upper()]
        for finding in findings:
            if finding.kind.section == section:
                lines += ["", finding.title, *(f"  {text}" for text in (*finding.sentences, *finding.notes))]
    return "\n".join(lines)


def as_markdown(evidences: Mapping[str, Evidence], findings: Sequence[Finding]) -> str:
    """Format sentences and tables of the findings as Markdown."""
    lines = ["# Findings", *(f"\n{markdown_escaped(line)}" for line in heading(evidences))]
    for section, name in SECTIONS.items():
        lines.append(f"\n## {name}")
        for finding in findings:
            if finding.kind.section == section:
                lines += _markdown(finding)
    return "\n".join(lines) + "\n"


def _markdown(finding: Finding) -> list[str]:
    lines = [f"\n### {markdown_escaped(finding.title)}", f"\n{markdown_escaped(finding.kind.about)}"]
    lines += [f"\n{markdown_escaped(text)}" for text in finding.sentences]
    lines += ["", *(f"* {markdown_escaped(text)}" for text in finding.notes)] if finding.notes else []
    table = shown(finding)
    if len(table):
        lines += ["", _row([markdown_escaped(name) for name in table.columns]), _row(["---"] * len(table.columns))]
        # labels are untrusted, formatted estimates are not
        labels = set(finding.kind.labels)
        for row in table.to_dict("records"):
            lines.append(_row([markdown_escaped(text) if name in labels else text for name, text in row.items()]))
    if finding.marks:
        lines.append(f"\nPaper ({finding.reference}): {CREDIT}")
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write(evidences: Mapping[str, Evidence], findings: Sequence[Finding], folder: Path) -> list[Path]:
    """Write the Markdown, one CSV file per finding, and the scores along all paths; return the files.

    Raises:
        OddError: the folder cannot be written.
    """
    files = {"findings.md": as_markdown(evidences, findings).encode()}
    files |= {f"{finding.kind.key}.csv": csv(numbers(finding)) for finding in findings}
    steps = [one.chosen_steps().drop(columns="point").assign(run=name) for name, one in evidences.items()]
    files["path_scores.csv"] = csv(pd.concat(steps, ignore_index=True))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return [folder / name for name in files]
