"""Sentences about findings. Plain text: names in it are untrusted and escaped on display."""

from collections.abc import Mapping, Sequence

from odd.findings.evidence import Evidence
from odd.findings.model import Cell
from odd.findings.statistics import LEAST_VERDICT, Estimate, questions_missing, smallest_effect
from odd.findings.written import signed, state, written
from odd.text import visible_text

LONGEST = 60
"""Maximum length of a name in a sentence, in characters."""
MANY_QUESTIONS = 30
"""With fewer questions, it is said how large an effect they can show."""
POWER = 0.8
"""Probability with which the smallest visible effect is found, at the 5% level."""


def short(name: str) -> str:
    """Truncate a name for use in a sentence."""
    return visible_text(name if len(name) <= LONGEST else name[: LONGEST - 1] + "…")


def listed(texts: Sequence[str]) -> str:
    """Join texts: "a", "a and b", "a, b and c"."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def valued(estimates: Mapping[str, Estimate], names: Sequence[str]) -> str:
    """Join names, each followed by its estimate."""
    return listed([f"{short(name)} ({written(estimates[name])})" for name in names])


def sides(estimates: Mapping[str, Estimate]) -> dict[str, list[str]]:
    """Group names by their interval: above 0, below 0 or containing it.

    `few` has too few questions for a verdict, `unknown` no value.
    """
    found: dict[str, list[str]] = {"above": [], "below": [], "open": [], "few": [], "unknown": []}
    for name, one in estimates.items():
        key = "unknown" if one.value != one.value else state(one) if one.has_verdict else "few"
        found[key].append(name)
    return found


NOTHING = "Nothing is scored here, so there is nothing to report."


RANKING = {
    "above": ("points towards success (interval above 0)", "point towards success (intervals above 0)"),
    "below": ("points away from success (interval below 0)", "point away from success (intervals below 0)"),
    "open": (
        "cannot be distinguished from no effect (interval contains 0)",
        "cannot be distinguished from no effect (intervals contain 0)",
    ),
}


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * share:.0f}%"


def share(estimate: Estimate) -> str:
    """A share as a percentage, with its interval."""
    if estimate.low != estimate.low:
        return percent(estimate.value)
    return f"{percent(estimate.value)} [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def floor_sentence(cells: Mapping[str, Cell]) -> str:
    """Sentence on which estimates are outside their noise floor; empty if none has one.

    Args:
        cells: cells of one measure, by name.
    """
    floored = {name: (cell.estimate, cell.floor) for name, cell in cells.items() if cell.floor and cell.estimate.n}
    if not floored:
        return ""
    outside = [name for name, (one, (low, high)) in floored.items() if not low <= one.value <= high]
    if not outside:
        return (
            "Every estimate is inside its own noise floor (success shuffled among siblings), as expected of unrelated "
            "teachers."
        )
    said = [f"{short(name)} ({signed(floored[name][1][0])} to {signed(floored[name][1][1])})" for name in outside]
    verb, own = ("is", "its") if len(outside) == 1 else ("are", "their")
    others = " Every other estimate is inside its own." if len(outside) < len(floored) else ""
    return f"Outside {own} own noise floor (success shuffled among siblings) {verb} {listed(said)}.{others}"


def ranking_sentence(estimates: Mapping[str, Estimate], measure: str) -> str:
    """Sentence on which teachers' intervals are above 0, below 0 or contain it.

    Args:
        estimates: estimates by teacher, largest first; their null value is 0.
        measure: name of the measure.
    """
    found = sides(estimates)
    parts = []
    for side, (one, many) in RANKING.items():
        if names := found[side]:
            parts.append(f"{valued(estimates, names)} {one if len(names) == 1 else many}")
    if few := found["few"]:
        most = max(estimates[name].clusters for name in few)
        parts.append(
            f"{valued(estimates, few)} {'has' if len(few) == 1 else 'have'} no verdict: {estimates_only(most)}"
        )
    if unknown := found["unknown"]:
        names, have = listed([short(name) for name in unknown]), "has" if len(unknown) == 1 else "have"
        parts.append(f"{names} {have} no defined value (a gradient is zero or nothing is scored)")
    return f"By {measure}, {'; '.join(parts)}." if parts else NOTHING


def lead_sentence(leader: str, leads: Mapping[str, Estimate]) -> str:
    """Sentence on which teachers the first one is ahead of on shared decision points; empty if there are none.

    Args:
        leader: name of the first teacher.
        leads: first minus other, by name of the other.
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
    if found["open"]:
        parts.append(f"{first if not parts else 'it'} cannot be distinguished from {valued(leads, found['open'])}")
    if few := found["few"]:
        most = max(leads[name].clusters for name in few)
        parts.append(f"too few questions to compare {first} with {valued(leads, few)}: {estimates_only(most)}")
    if not parts:
        return ""
    return f"On shared decision points, {'; '.join(parts)}. Differences are given in parentheses."


OUTCOMES = {
    "above": "above 0 for",
    "below": "below 0 for",
    "open": "not distinguishable from 0 for",
    "few": "without a verdict (too few questions have both kinds of path) for",
}


def outcome_sentence(gaps: Mapping[str, Estimate], measure: str) -> str:
    """Sentence on how the measure differs between incorrect and correct paths.

    Args:
        gaps: incorrect minus correct, by teacher.
        measure: name of the measure.
    """
    found = sides(gaps)
    parts = [f"{text} {valued(gaps, found[side])}" for side, text in OUTCOMES.items() if found[side]]
    if found["unknown"]:
        names = listed([short(name) for name in found["unknown"]])
        parts.append(f"undefined on at least one kind of path for {names}")
    return f"{measure[:1].upper()}{measure[1:]} on incorrect paths minus that on correct ones: {'; '.join(parts)}."


def basis(evidence: Evidence) -> str:
    """Sentence on how much data the selected points are based on."""
    outcome = evidence.filters.outcome
    where = "all paths" if outcome == "all" else f"{outcome} paths"
    points = "1 decision point" if evidence.nodes == 1 else f"{evidence.nodes:,} decision points"
    return basis_sentence(f"{points} on {where}", evidence.questions)


def basis_sentence(points: str, questions: int) -> str:
    """Sentence on how much data the numbers are based on, and how far to trust their intervals.

    Args:
        points: description of the decision points.
        questions: number of questions with any.
    """
    if not questions:
        return "No question has a decision point here, so there is nothing to judge."
    if questions == 1:
        return f"Based on {points} in one question: this says nothing about other questions."
    if questions < LEAST_VERDICT:
        return f"Based on {points} in {estimates_only(questions)}."
    several = "Intervals are not corrected for multiple comparisons: of many, some miss the true value by chance."
    return f"Based on {points} in {questions} questions. {several}"


def questions(count: int) -> str:
    """A number of questions."""
    return "one question" if count == 1 else f"{count:,} questions"


def estimates_only(count: int) -> str:
    """Say why a number of questions allows no verdict."""
    return f"{questions(count)}, estimates only (a verdict needs {LEAST_VERDICT})"


def side(estimate: Estimate) -> str:
    """Say on which side of 0 an estimate is."""
    if not estimate.has_verdict:
        return estimates_only(estimate.clusters)
    return {"above": "above 0", "below": "below 0", "open": "not distinguishable from 0"}[state(estimate)]


def lacking_sentence(counts: Mapping[str, int], questions: int) -> str:
    """Sentence on teachers with scores in fewer questions than others, such as those without a context there.

    Args:
        counts: number of questions with a score, by teacher.
        questions: number of questions with a decision point.
    """
    fewer = [f"{short(name)} in {count:,}" for name, count in counts.items() if 0 < count < questions]
    if not fewer:
        return ""
    return f"Of {questions:,} questions with decision points, some teachers have scores in fewer: {listed(fewer)}."


def reach_sentence(estimates: Mapping[str, Estimate], measure: str) -> str:
    """Sentence on the smallest effect that few questions can show, and how many more would be needed (method §7).

    Args:
        estimates: estimates by teacher; their null value is 0.
        measure: name of the measure.

    Returns:
        Empty with `MANY_QUESTIONS` questions, or without standard errors.
    """
    known = {name: one for name, one in estimates.items() if one.error == one.error and one.clusters < MANY_QUESTIONS}
    if not known:
        return ""
    seen = {name: smallest_effect(one, POWER) for name, one in known.items()}
    ends = sorted({f"{value:.2f}" for value in seen.values()}, key=float)
    reach = f"±{ends[0]}" if len(ends) == 1 else f"±{ends[0]} to ±{ends[-1]}, depending on the teacher"
    most = max(one.clusters for one in known.values())
    text = f"With {questions(most)}, the smallest {measure} that is found {percent(POWER)} of the time is {reach}."
    more = {name: questions_missing(one, POWER) for name, one in known.items() if state(one) == "open" and one.value}
    if more := {name: count for name, count in more.items() if count > 0}:
        listing = listed([f"{count:,} more for {short(name)}" for name, count in more.items()])
        text += f" If the estimates are right, settling their sign needs about {listing}."
    return text


def value(estimate: Estimate, null: float = 0.0) -> str:
    """An estimate with three decimals and its interval; with signs if the null value is 0."""
    return written(estimate, 3, null)
