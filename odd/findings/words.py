"""Findings in words, from their numbers. Plain text: names in it are untrusted and escaped where it is shown."""

from collections.abc import Mapping, Sequence

from odd.findings.evidence import Evidence
from odd.findings.model import Cell
from odd.findings.statistics import Estimate
from odd.findings.written import signed, state, written
from odd.text import visible_text

LONGEST = 60
"""Characters of a name in a sentence."""
FEW_QUESTIONS = 20
"""Questions below which a bootstrap over them is said to be rough."""


def short(name: str) -> str:
    """A name in a sentence, cut where it is long."""
    return visible_text(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def listed(texts: Sequence[str]) -> str:
    """Texts in a sentence: "a", "a and b", "a, b and c"."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def valued(estimates: Mapping[str, Estimate], names: Sequence[str]) -> str:
    """Names with their estimates."""
    return listed([f"{short(name)} ({written(estimates[name])})" for name in names])


def sides(estimates: Mapping[str, Estimate]) -> dict[str, list[str]]:
    """Names by where their interval lies: above, below or open; `alone` has no interval, `unknown` no value."""
    found: dict[str, list[str]] = {"above": [], "below": [], "open": [], "alone": [], "unknown": []}
    for name, one in estimates.items():
        key = "unknown" if one.value != one.value else "alone" if one.low != one.low else state(one)
        found[key].append(name)
    return found


NOTHING = "Nothing is scored here, so nothing can be said."


RANKING = {
    "above": ("lies above 0: it points towards success", "lie above 0: they point towards success"),
    "below": ("lies below 0: it points away from success", "lie below 0: they point away from success"),
    "open": (
        "contains 0: it cannot be told apart from no effect",
        "contain 0: they cannot be told apart from no effect",
    ),
}


def percent(share: float) -> str:
    """A share in whole per cent."""
    return f"{100 * share:.0f}%"


def share(estimate: Estimate) -> str:
    """A share in per cent with its interval."""
    if estimate.low != estimate.low:
        return percent(estimate.value)
    return f"{percent(estimate.value)} [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def floor_sentence(cells: Mapping[str, Cell]) -> str:
    """Which estimates lie outside their noise floor.

    Args:
        cells: of one measure, by name.
    """
    floored = {name: (cell.estimate, cell.floor) for name, cell in cells.items() if cell.floor and cell.estimate.n}
    if not floored:
        return ""
    outside = [name for name, (one, (low, high)) in floored.items() if not low <= one.value <= high]
    ends = min(low for _, (low, _) in floored.values()), max(high for _, (_, high) in floored.values())
    verdict = (
        f"outside it {'lies' if len(outside) == 1 else 'lie'} {listed([short(name) for name in outside])}"
        if outside
        else "every estimate lies inside it, where unrelated teachers would lie"
    )
    reach = f"from {signed(ends[0])} to {signed(ends[1])}"
    return f"The noise floor (success shuffled among siblings) reaches {reach}; {verdict}."


def ranking_sentence(estimates: Mapping[str, Estimate], measure: str) -> str:
    """Which teachers' intervals lie above or below 0, and which hold it.

    Args:
        estimates: of a measure whose null is 0, by teacher, the largest first.
        measure: its name.
    """
    found = sides(estimates)
    parts = []
    for side, (one, many) in RANKING.items():
        if names := found[side]:
            whose = "the interval of" if len(names) == 1 else "the intervals of"
            parts.append(f"{whose} {valued(estimates, names)} {one if len(names) == 1 else many}")
    if alone := found["alone"]:
        parts.append(f"{valued(estimates, alone)}; one question gives no interval")
    if unknown := found["unknown"]:
        names, have = listed([short(name) for name in unknown]), "has" if len(unknown) == 1 else "have"
        parts.append(f"{names} {have} none that is defined, as a gradient is zero or nothing is scored")
    return f"By {measure}, {'; '.join(parts)}." if parts else NOTHING


def lead_sentence(leader: str, leads: Mapping[str, Estimate]) -> str:
    """Of whom the first teacher is ahead on the same decision points.

    Args:
        leader: the first teacher.
        leads: first minus other, by the other's name.
    """
    if not leads:
        return ""
    found = sides(leads)
    first = short(leader)
    parts = []
    if found["above"]:
        parts.append(f"{first} is ahead of {valued(leads, found['above'])}")
    if found["below"]:
        parts.append(f"{first} is behind {valued(leads, found['below'])}")
    if unsettled := [*found["open"], *found["alone"]]:
        parts.append(f"{first if not parts else 'it'} cannot be told apart from {valued(leads, unsettled)}")
    if not parts:
        return ""
    return f"On the decision points that both have, {'; '.join(parts)}. In brackets: the difference."


OUTCOMES = {
    "above": "above 0 for",
    "below": "below 0 for",
    "open": "not told apart from 0 for",
    "alone": "without an interval, as too few questions have both kinds of path, for",
}


def outcome_sentence(gaps: Mapping[str, Estimate], measure: str) -> str:
    """For which teachers the measure differs between incorrect and correct paths.

    Args:
        gaps: incorrect minus correct, by teacher.
        measure: its name.
    """
    found = sides(gaps)
    parts = [f"{text} {valued(gaps, found[side])}" for side, text in OUTCOMES.items() if found[side]]
    if found["unknown"]:
        parts.append(f"not defined on both kinds of path for {listed([short(name) for name in found['unknown']])}")
    return f"{measure[:1].upper()}{measure[1:]} on incorrect paths minus that on correct ones: {'; '.join(parts)}."


def basis(evidence: Evidence) -> str:
    """What the chosen points of the evidence rest on."""
    outcome = evidence.filters.outcome
    where = "all paths" if outcome == "all" else f"{outcome} paths"
    points = "1 decision point" if evidence.nodes == 1 else f"{evidence.nodes:,} decision points"
    return basis_sentence(f"{points} on {where}", evidence.questions)


def basis_sentence(points: str, questions: int) -> str:
    """What the numbers rest on, and how far intervals from so few questions can be trusted.

    Args:
        points: the decision points in words.
        questions: those that have any.
    """
    if questions == 1:
        return f"Based on {points} in one question: nothing follows from it for other questions."
    rough = " So few questions give rough intervals that tend to be too short: take them as a first hint."
    several = " Each interval stands for itself: of many, some miss the truth by chance."
    return f"Based on {points} in {questions} questions.{rough if questions < FEW_QUESTIONS else several}"


def value(estimate: Estimate, null: float = 0.0) -> str:
    """A small number with its interval, signed where 0 means no effect."""
    return written(estimate, 3, null)
