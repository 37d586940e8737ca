"""What a run shows, over all its questions (method §7): findings with figures, tables, sentences and their tokens."""

from odd.findings.compose import Finding, find, lines, numbers, shown
from odd.findings.evidence import Evidence, Filters, gather
from odd.findings.kinds import BY_KEY, KINDS, SECTIONS
from odd.findings.published import REFERENCES

__all__ = [
    "BY_KEY",
    "KINDS",
    "REFERENCES",
    "SECTIONS",
    "Evidence",
    "Filters",
    "Finding",
    "find",
    "gather",
    "lines",
    "numbers",
    "shown",
]
