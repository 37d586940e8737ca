"""Glossary of the dashboard: the meaning, formula and range of each term, and the pages that show it."""

from odd.views.glossary.findings import FINDINGS, SCREENING
from odd.views.glossary.terms import ACROSS, APART, KEYS, TEACHERS, TREE, Entry, counting, gradients, scores


def glossary() -> dict[str, tuple[Entry, ...]]:
    """All terms, by group title."""
    return {
        "The tree": TREE,
        "Scores of a token": scores(),
        "Gradients": gradients(),
        "Conventions: what counts": counting(),
        "Across questions": ACROSS,
        "Findings": FINDINGS,
        "Student against teacher": APART,
        "Teachers": TEACHERS,
        "Screening": SCREENING,
        "Keys": KEYS,
    }


def find(text: str) -> dict[str, tuple[Entry, ...]]:
    """Find terms that contain every word of a text in name or meaning, by group; empty groups are left out."""
    words = text.casefold().split()
    found = {
        group: tuple(
            entry for entry in entries if all(word in f"{entry.term} {entry.meaning}".casefold() for word in words)
        )
        for group, entries in glossary().items()
    }
    return {group: entries for group, entries in found.items() if entries}


__all__ = ["Entry", "find", "glossary"]
