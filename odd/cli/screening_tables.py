"""Tables of a screening printed by `show` (tables 7-9 of the paper)."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.findings.screening import DIFFICULTIES, Accuracy, Screening, accuracies, counts
from odd.findings.statistics import Estimate
from odd.text import visible_text


def print_screening(screening: Screening, console: Console) -> None:
    """Print the difficulties, the accuracy with each context, and the excluded questions."""
    questions, bins = screening.questions, counts(screening)
    console.print(_difficulties(screening, bins))
    console.print(_contexts(screening))
    for row in questions[~questions["kept"]].to_dict("records"):
        console.print(Text(visible_text(f"left out: question {row['id']}: {row['reason']}")), soft_wrap=True)


def _difficulties(screening: Screening, bins: dict[str, int]) -> Table:
    title = f"Screening: pass rate of the student without context, {len(screening.questions)} questions"
    table = Table(title=title, box=SIMPLE_HEAD)
    for column in ("difficulty", "questions", "kept"):
        table.add_column(column, justify="left" if column == "difficulty" else "right")
    kept = screening.kept["difficulty"].value_counts().to_dict()
    ranges = {"easy": "p ≥ 0.8", "medium": "0.25 ≤ p < 0.8", "hard": "0 < p < 0.25", "never": "p = 0, excluded"}
    for bin_, count in bins.items():
        table.add_row(f"{bin_} ({ranges[bin_]})", str(count), str(kept.get(bin_, 0)))
    return table


def _contexts(screening: Screening) -> Table:
    found = {(one.context, one.difficulty): one for one in accuracies(screening)}
    title = f"Screening: accuracy in % on the {len(screening.kept)} questions kept; 95% intervals over questions"
    table = Table(title=title, box=SIMPLE_HEAD)
    numbers = {bin_: one.accuracy.n for (_, bin_), one in found.items()}
    for column in ("context", "all", "Δ", *(f"{bin_} (n = {numbers[bin_]})" for bin_ in DIFFICULTIES), "truncated"):
        table.add_column(column, justify="left" if column == "context" else "right", no_wrap=column != "context")
    for context in dict.fromkeys(name for name, _ in found):
        overall = found[context, "all"]
        by_difficulty = [_percent(found[context, bin_].accuracy) for bin_ in DIFFICULTIES]
        table.add_row(
            Text(visible_text(context)),
            _percent(overall.accuracy),
            _difference(overall),
            *by_difficulty,
            _share(overall.truncated),
        )
    return table


def _difference(one: Accuracy) -> str:
    return "" if one.difference is None else _percent(one.difference, "+")


def _percent(estimate: Estimate, sign: str = "") -> str:
    """Format a share in percent with its interval."""
    if estimate.value != estimate.value:
        return "–"
    value, low, high = (f"{100 * number:{sign}.1f}" for number in (estimate.value, estimate.low, estimate.high))
    return value if estimate.low != estimate.low else f"{value}\n[{low}, {high}]"


def _share(value: float) -> str:
    return "–" if value != value else f"{100 * value:.1f}%"
