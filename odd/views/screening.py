"""Report of a screening for the page Screening: sentences, figures, a table of contexts and a table of questions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from odd.config import BASELINE
from odd.findings.paper import published
from odd.findings.published import REFERENCES, reference_name
from odd.findings.screening import DIFFICULTIES, Accuracy, Screening, accuracies, counts
from odd.findings.statistics import Estimate
from odd.findings.words import estimates_only, listed, short
from odd.findings.written import state
from odd.method.success import jeffreys
from odd.text import visible_text
from odd.views.figures.findings import signed
from odd.views.figures.screening import AccuracyPanel, accuracy, pass_rates
from odd.views.links import Reference, Screened, ViewState
from odd.views.question_table import opened

BINS = ("all", *DIFFICULTIES)


@dataclass(frozen=True)
class ScreeningReport:
    """Contents of the page.

    Attributes:
        sentences: results as plain text with untrusted names.
        pass_rates: figure of pass rates.
        accuracy: figure of accuracies.
        shown: table of contexts by difficulty, for display.
        table: the same with all numbers, for download.
    """

    sentences: tuple[str, ...]
    pass_rates: go.Figure
    accuracy: go.Figure
    shown: pd.DataFrame
    table: pd.DataFrame


def report(screening: Screening, reference: Reference) -> ScreeningReport:
    """Build the report.

    Args:
        screening: the screening.
        reference: student and benchmark of the paper to compare with.
    """
    found = accuracies(screening)
    paper = in_paper(screening, reference)
    known = screening.questions[screening.questions["difficulty"].notna()]
    rates = known["pass_rate"].to_numpy(float), known["difficulty"].tolist(), known["kept"].to_numpy(bool)
    panels = [
        AccuracyPanel(
            f"{bin_} (n = {next(one for one in found if one.difficulty == bin_).accuracy.n})",
            {one.context: one.accuracy for one in found if one.difficulty == bin_},
            {context: value for (context, name), value in paper.items() if name == bin_},
        )
        for bin_ in BINS
    ]
    return ScreeningReport(
        sentences=(_kept_sentence(screening), *_context_sentences(found)),
        pass_rates=pass_rates(*rates),
        accuracy=accuracy(panels, reference_name(reference)),
        shown=_shown(found, paper),
        table=_numbers(found, paper),
    )


def in_paper(screening: Screening, reference: Reference) -> dict[tuple[str, str], float]:
    """The paper's accuracy, 0 to 1, by context and difficulty, for the contexts that it has."""
    if reference == "none":
        return {}
    student, benchmark = REFERENCES[reference]
    tables = published(8).assign(difficulty="all"), published(9)
    both = pd.concat(tables)[["student", "benchmark", "context", "difficulty", "accuracy_pct"]]
    own = both[(both["student"] == student) & (both["benchmark"] == benchmark)]
    values = {(row["context"], row["difficulty"]): row["accuracy_pct"] / 100 for row in own.to_dict("records")}
    names = {BASELINE: BASELINE, **{name: paper for name, paper in screening.in_paper.items() if name != BASELINE}}
    return {
        (name, bin_): values[paper, bin_] for name, paper in names.items() for bin_ in BINS if (paper, bin_) in values
    }


def percent(estimate: Estimate, change: bool = False) -> str:
    """A share in percent, or a difference of shares in percentage points, with its interval."""
    value, low, high = (
        signed(100 * number, 1) if change else signed(100 * number, 1).removeprefix("+")
        for number in (estimate.value, estimate.low, estimate.high)
    )
    return value if estimate.low != estimate.low else f"{value} [{low}, {high}]"


def _kept_sentence(screening: Screening) -> str:
    bins, kept = counts(screening), len(screening.kept)
    by_bin = listed([f"{bins[bin_]} {bin_}" for bin_ in DIFFICULTIES])
    left = "" if screening.complete else " The screening is not complete."
    return (
        f"Without a context: {by_bin} questions, and {bins['never']} never answered correctly. {kept} of "
        f"{len(screening.questions)} questions are kept: the student answers them correctly at least once, "
        f"and every context could be built.{left}"
    )


SIDES = {"above": "raises accuracy", "below": "lowers accuracy", "open": "cannot be distinguished from no context"}


def _context_sentences(found: Sequence[Accuracy]) -> list[str]:
    overall = [one for one in found if one.difficulty == "all"]
    baseline = overall[0].accuracy
    if not baseline.n:
        return ["No question is kept, so contexts cannot be compared."]
    said = [f"On the kept questions, the student alone is correct in {percent(baseline)}% of its rollouts."]
    sides: dict[str, list[str]] = {}
    for one in overall[1:]:
        change = one.difference
        if change is not None and change.n:
            sides.setdefault(state(change), []).append(f"{short(one.context)} ({percent(change, change=True)} points)")
    if overall[1:] and not baseline.has_verdict:
        said.append(f"Differences are over {estimates_only(baseline.clusters)}.")
    for side, names in sides.items():
        verb = SIDES[side] if len(names) == 1 or side == "open" else SIDES[side].replace("s ", " ", 1)
        said.append(f"{listed(names)} {verb}.")
    return said


def _shown(found: Sequence[Accuracy], paper: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """One row per context: accuracy in percent, overall and by difficulty, with the paper's next to it."""
    rows: dict[str, dict[str, str]] = {}
    for one in found:
        row = rows.setdefault(one.context, {"context": visible_text(one.context)})
        named = f"{one.difficulty}, n = {_questions(found, one.difficulty)}"
        row[named] = percent(one.accuracy)
        if one.difficulty == "all":
            row["Δ baseline"] = "" if one.difference is None else percent(one.difference, change=True)
        if paper:
            value = paper.get((one.context, one.difficulty))
            row[f"paper, {one.difficulty}"] = "–" if value is None else f"{100 * value:.1f}"
    return pd.DataFrame(list(rows.values()))


def _questions(found: Sequence[Accuracy], bin_: str) -> int:
    return next(one.accuracy.n for one in found if one.difficulty == bin_)


def _numbers(found: Sequence[Accuracy], paper: Mapping[tuple[str, str], float]) -> pd.DataFrame:
    """All numbers, with one row per context and difficulty."""
    rows = []
    for one in found:
        row: dict[str, Any] = {"context": one.context, "difficulty": one.difficulty}
        row |= _flat("accuracy", one.accuracy)
        row |= _flat("difference", one.difference or Estimate(np.nan, np.nan, np.nan, 0, 0))
        row |= {"rollouts": one.rollouts, "truncated": one.truncated}
        rows.append(row | {"published_accuracy": paper.get((one.context, one.difficulty), np.nan)})
    return pd.DataFrame(rows)


def _flat(name: str, estimate: Estimate) -> dict[str, Any]:
    parts = asdict(estimate)
    return {name: parts["value"], f"{name}_low": parts["low"], f"{name}_high": parts["high"], f"{name}_n": parts["n"]}


def chosen(screening: Screening, which: Screened) -> pd.DataFrame:
    """The questions to list."""
    questions = screening.questions
    return questions if which == "all" else questions[questions["kept"] == (which == "kept")]


def payload(screening: Screening, view: ViewState) -> dict[str, Any]:
    """Payload of the component `table` for the questions that the view lists."""
    rows = chosen(screening, view.screened)
    made = {(row["question"], row["context"]): row for row in screening.accuracy.to_dict("records")}
    return {
        "label": "Questions of the screening",
        "action": "Open this question's tree",
        "caption": f"{len(rows)} of {len(screening.questions)} questions. Click a row to open its tree.",
        "nothing": f"No question is {view.screened}.",
        "columns": _columns(screening.contexts),
        "rows": [_row(row, screening.contexts, made) for row in rows.to_dict("records")],
        "linked": 1,
        "sort": "",
        "chosen": view.question,
        "link": {"page": "tree", "query": opened(view, "").pairs()},
    }


def _columns(contexts: Sequence[str]) -> list[dict[str, Any]]:
    rate = {"kind": "rate", "min": 84, "grow": 1, "note": "95% interval"}
    meaning = "share of correct rollouts with its 95% Jeffreys interval"
    return [
        {"kind": "count", "title": "#", "min": 26},
        {"kind": "question", "title": "question", "min": 170, "grow": 3},
        {"kind": "text", "title": "difficulty", "min": 62},
        {**rate, "title": "alone", "meaning": f"{meaning}, without a context"},
        *({**rate, "title": visible_text(name), "meaning": meaning} for name in contexts),
    ]


def _row(
    row: Mapping[Any, Any], contexts: Sequence[str], made: Mapping[tuple[int, str], Mapping[Any, Any]]
) -> dict[str, Any]:
    reason = visible_text(row["reason"]) if isinstance(row["reason"], str) else None
    text = {"title": visible_text(row["id"]), "text": visible_text(row["text"]), "note": reason}
    difficulty = row["difficulty"] if isinstance(row["difficulty"], str) else None
    rates = [_rate(row), *(_rate(made.get((row["question"], name))) for name in contexts)]
    return {
        "key": row["id"],
        "at": {"question": row["id"]},
        "cells": [int(row["question"]) + 1, text, difficulty, *rates],
    }


def _rate(row: Mapping[Any, Any] | None) -> dict[str, Any]:
    """Table cell of a share of correct rollouts."""
    if row is None or not row["rollouts"]:
        return {"value": None, "low": None, "high": None, "n": 0}
    low, high = jeffreys(np.array(float(row["correct"])), np.array(float(row["rollouts"])))
    value = row["correct"] / row["rollouts"]
    ends = {"low": round(float(low), 5), "high": round(float(high), 5)}
    return {"value": round(float(value), 5), "n": int(row["rollouts"])} | ends


def export(screening: Screening) -> pd.DataFrame:
    """All questions as a table for download."""
    columns = ["id", "text", "difficulty", "kept", "reason", "rollouts", "correct", "truncated", "pass_rate"]
    table = screening.questions.set_index("question")[columns]
    for name in screening.contexts:
        own = screening.accuracy[screening.accuracy["context"] == name].set_index("question")
        table[f"accuracy:{name}"] = own["accuracy"].reindex(table.index)
    return table.reset_index(drop=True)
