"""Tables printed by `show`: results of a run for its questions and its teachers (method §7)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.cli.screening_tables import print_screening
from odd.findings.causes import likeliest_cause
from odd.findings.screening import read_screening
from odd.findings.statistics import Estimate
from odd.findings.summaries import MAIN, chosen_measure, estimates
from odd.findings.words import basis_sentence, reach_sentence
from odd.store import RunReader
from odd.text import visible_text
from odd.views.engine_check import engine_lines
from odd.views.import_report import import_lines

OUTCOMES = ("all", "correct", "incorrect")
SUMMARIES = ("mean_cosine", "fraction_positive", "weighted_cosine", "mean_gain", "advantage")


def teacher_summary(scores: pd.DataFrame, teachers: Sequence[str]) -> pd.DataFrame:
    """Summarise the measures of method §7 per teacher and path outcome, with 95% intervals over questions.

    Args:
        scores: one row per (question, path, position, teacher) of one objective and convention.
        teachers: all teachers, in the order of the result.

    Returns:
        One row per teacher and outcome; `decision_points` counts a node once even if paths share it. Without decision
        points it is 0 and the measures are NaN.
    """
    rows, decisions = [], _decisions(scores)
    for teacher in teachers:
        own = decisions[decisions["teacher"] == teacher]
        for outcome in OUTCOMES:
            part = own if outcome == "all" else own[own["correct"] == (outcome == "correct")]
            part = part.drop_duplicates(["question", "node"])
            counted = {"teacher": teacher, "outcome": outcome, "decision_points": len(part)}
            rows.append(counted | estimates(part))
    return pd.DataFrame(rows, columns=["teacher", "outcome", "decision_points", *SUMMARIES])


def decision_points(scores: pd.DataFrame) -> Counter:
    """Count the distinct decision points of each question that has any; `scores` as for `teacher_summary`."""
    return Counter(_decisions(scores).drop_duplicates(["question", "node"])["question"].tolist())


def _decisions(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[scores["decision"].fillna(False).astype(bool)]


def print_summary(path: Path, objective: str | None, convention: str | None, console: Console) -> None:
    """Print a run's import account and screening, if any, and the results for its questions and teachers.

    Text of the run cannot control the terminal: control characters are spelled out.

    Raises:
        OddError: the run cannot be read or lacks the objective or convention (the message lists those it has).
    """
    with RunReader(path) as reader:
        objective, convention = chosen_measure(reader.query("measures"), path.stem, objective, convention)
        questions, teachers = reader.query("questions"), reader.query("teachers")["teacher"].tolist()
        scores = reader.query("scores", objective=objective, convention=convention)
        skipped = reader.query("contexts_unavailable")
        status, imported = reader.meta["status"], reader.meta.get("imported")
        screening = read_screening(reader)
        for line in (*import_lines(imported or ""), *engine_lines(reader.meta.get("engine_check", ""))):
            console.print(Text(visible_text(line)), soft_wrap=True)
        if screening is not None:
            print_screening(screening, console)
        if screening is None or set(questions["stage"]) != {"new"}:
            cause = likeliest_cause(reader, questions)
            _print_findings(questions, teachers, scores, skipped, (objective, convention), cause, console)
    console.print(Text(f"run file ({status}): {path}"), soft_wrap=True)


def _print_findings(
    questions: pd.DataFrame,
    teachers: Sequence[str],
    scores: pd.DataFrame,
    skipped: pd.DataFrame,
    measure: tuple[str, str],
    cause: str,
    console: Console,
) -> None:
    found = decision_points(scores)
    console.print(_questions_table(questions, found))
    console.print(_teachers_table(teacher_summary(scores, teachers), *measure))
    if not found:
        console.print(Text(_nothing_found(questions, teachers, measure[1], cause)), soft_wrap=True)
    else:
        console.print(Text(_basis(scores, teachers, found)), soft_wrap=True)
        if cause:
            console.print(Text(cause), soft_wrap=True)
    excluded = questions[questions["note"].notna()]
    for row in excluded.to_dict("records"):
        console.print(Text(visible_text(f"question {row['id']}: {row['note']}")))
    for row in skipped[~skipped["question"].isin(excluded["question"])].to_dict("records"):
        line = f"teacher {row['teacher']} skipped question {row['id']}: {row['reason']}"
        console.print(Text(visible_text(line)))


def _basis(scores: pd.DataFrame, teachers: Sequence[str], found: Mapping[int, int]) -> str:
    """Return what the numbers are based on, and what so few questions can show."""
    points = _decisions(scores).drop_duplicates(["question", "node", "teacher"])
    main = {teacher: MAIN.estimate(points[points["teacher"] == teacher]) for teacher in teachers}
    count = sum(found.values())
    basis = basis_sentence("1 decision point" if count == 1 else f"{count:,} decision points", len(found))
    return visible_text(" ".join(filter(None, (basis, reach_sentence(main, MAIN.name)))))


def _nothing_found(questions: pd.DataFrame, teachers: Sequence[str], convention: str, cause: str) -> str:
    """Return the reason why the table of teachers is empty, and the remedy."""
    if not teachers:
        return "The run has no teacher, so there are no scores: add one with odd add-teacher."
    if not (questions["stage"] == "scored").any():
        return "No question is scored yet: the table fills as the run proceeds."
    if cause:
        return f"No question has a decision point. {cause}"
    return (
        f"No question has a decision point under {convention}: no node has two tokens with enough visits that differ "
        "in success. Raise targeting.n_min or sampling.initial_rollouts, or lower analysis.n_sig."
    )


def _questions_table(questions: pd.DataFrame, found: Mapping[int, int]) -> Table:
    table = Table(title="Questions", box=SIMPLE_HEAD)
    for column in ("question", "passed", "difficulty", "truncated", "targeted", "decision points"):
        table.add_column(column)
    for row in questions.to_dict("records"):
        table.add_row(
            Text(visible_text(row["id"])),
            f"{row['initial_correct']}/{row['initial_rollouts']}",
            row["difficulty"] if isinstance(row["difficulty"], str) else "",
            str(row["initial_truncated"]),
            _targeted(row["targeted_rollouts"], row["targeted_whole"]),
            str(found.get(row["question"], 0)),
        )
    return table


def _targeted(rollouts: int, whole: int) -> str:
    """Return the number of targeted rollouts, and how many of them the run file has whole if these are a sample."""
    return str(rollouts) if whole == rollouts else f"{rollouts}, text of {whole}"


def _teachers_table(summary: pd.DataFrame, objective: str, convention: str) -> Table:
    table = Table(title=f"Teachers: {objective}, {convention}; 95% intervals over questions", box=SIMPLE_HEAD)
    headings = ("mean cosine", "positive", "range-weighted", "mean gain", "advantage")
    for column in ("teacher", "paths", "decisions", *headings):
        table.add_column(column, justify="left" if column in ("teacher", "paths") else "right", no_wrap=True)
    for row in summary.to_dict("records"):
        table.add_row(
            Text(visible_text(row["teacher"])) if row["outcome"] == "all" else "",
            row["outcome"],
            str(row["decision_points"]),
            *(_written(row[summary], signed=summary != "fraction_positive") for summary in SUMMARIES),
        )
    return table


def _written(estimate: Estimate, signed: bool) -> str:
    if np.isnan(estimate.value):
        return "–"
    form = "+.3f" if signed else ".3f"
    interval = "" if np.isnan(estimate.low) else f"\n[{estimate.low:{form}}, {estimate.high:{form}}]"
    return f"{estimate.value:{form}}{interval}"
