"""Results of a screening (method §6): pass rates, kept questions, and accuracy with each context.

A question is kept if the student ever answers it correctly and every compared context could be built, so all contexts
are compared on the same questions. Intervals are over questions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import ValidationError

from odd.config import BASELINE
from odd.config.teachers import ContextKind, TeacherConfig
from odd.findings.statistics import SHARE, Estimate, cluster_estimate
from odd.method.success import difficulty
from odd.store.run import Run

DIFFICULTIES = ("easy", "medium", "hard")
UNFINISHED = "not screened yet"
SEED = 0
# names of the contexts in the paper, by kind and by whether a larger model wrote the demonstrations
_IN_PAPER: dict[tuple[ContextKind, bool], str] = {
    ("1c", False): "Self-1C",
    ("1c1w", False): "Self-1C1W",
    ("3c", False): "Self-3C",
    ("sum_1c", False): "Self-Sum-1C",
    ("sum_1c1w", False): "Self-Sum-1C1W",
    ("1c", True): "Self-1C (32B)",
}


@dataclass(frozen=True)
class Screening:
    """Result of a screening.

    Attributes:
        questions: one row per question in run order: `question` (number), `id`, `text`; `rollouts`, `correct` and
            `truncated` without a context, `pass_rate` and `difficulty` (NaN and None before sampling), `kept`, and
            `reason` if it is not kept.
        accuracy: one row per question and available context: `question`, `context`, `rollouts`, `correct`,
            `truncated`, `accuracy`.
        contexts: names, in order.
        in_paper: names in the paper; contexts that the paper does not have are left out.
    """

    questions: pd.DataFrame
    accuracy: pd.DataFrame
    contexts: tuple[str, ...]
    in_paper: Mapping[str, str]

    @property
    def kept(self) -> pd.DataFrame:
        """The questions on which contexts are compared."""
        return self.questions[self.questions["kept"]]

    @property
    def complete(self) -> bool:
        """Whether every question is screened."""
        return not (self.questions["reason"] == UNFINISHED).any()


def read_screening(run: Run) -> Screening | None:
    """The screening of a run; None if it was never screened."""
    named = run.query("screening_contexts")
    if named.empty:
        return None
    contexts = tuple(named["context"].tolist())
    made = run.query("screening")
    questions = run.query("screening_baseline")
    rate = questions["correct"] / questions["rollouts"].where(questions["rollouts"] > 0)
    reasons = [_reason(row, made[made["question"] == row["question"]], contexts) for row in _records(questions)]
    bins = [None if np.isnan(one) else difficulty(float(one)) for one in rate]
    kept = [reason is None for reason in reasons]
    columns = {"difficulty": pd.Series(bins, dtype=object), "reason": pd.Series(reasons, dtype=object)}
    questions = questions.assign(pass_rate=rate.astype(float), kept=kept, **columns)
    drawn = made[made["available"].astype(bool) & (made["rollouts"] > 0)]
    accuracy = drawn.assign(accuracy=(drawn["correct"] / drawn["rollouts"]).astype(float))
    in_paper = {row["context"]: name for row in _records(named) if (name := _paper_name(row["config"]))}
    return Screening(questions, accuracy.drop(columns=["available", "reason"]), contexts, in_paper)


def _records(frame: pd.DataFrame) -> list[dict]:
    return frame.to_dict("records")


def _reason(question: Mapping, made: pd.DataFrame, contexts: tuple[str, ...]) -> str | None:
    """Why a question is not kept: no correct rollout, unavailable contexts, or unfinished; None if it is kept."""
    lacking: dict[str, list[str]] = {}
    for row in _records(made[~made["available"].astype(bool)]):
        reason = row["reason"] if isinstance(row["reason"], str) else "no context"
        lacking.setdefault(reason, []).append(row["context"])
    if len(made) == len(contexts) and lacking and question["correct"] == 0:
        return "; ".join(lacking)
    if lacking:
        return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in lacking.items())
    if set(made.loc[made["rollouts"] > 0, "context"]) != set(contexts):
        return UNFINISHED
    return None


def _paper_name(config: object) -> str | None:
    try:
        teacher = TeacherConfig.model_validate_json(str(config))
    except ValidationError:
        return None
    return _IN_PAPER.get((teacher.context, teacher.demonstrations is not None))


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of the student with a context on kept questions of one difficulty.

    Attributes:
        context: name; `BASELINE` for none.
        difficulty: difficulty of the questions; "all" for all of them.
        accuracy: 0 to 1; n counts questions.
        difference: difference from the baseline on the same questions; None for the baseline itself.
        rollouts: number of rollouts with the context.
        truncated: share of rollouts truncated at the length limit; NaN without rollouts.
    """

    context: str
    difficulty: str
    accuracy: Estimate
    difference: Estimate | None
    rollouts: int
    truncated: float


def accuracies(screening: Screening) -> list[Accuracy]:
    """Accuracy with every context, the baseline first, over all kept questions and by difficulty."""
    kept = screening.kept.set_index("question")
    baseline = kept.assign(accuracy=kept["pass_rate"])[["rollouts", "truncated", "accuracy", "difficulty"]]
    found = []
    for context in (None, *screening.contexts):
        own = baseline
        if context is not None:
            rows = screening.accuracy[screening.accuracy["context"] == context].set_index("question")
            own = rows.reindex(kept.index).assign(difficulty=kept["difficulty"])
        for bin_ in ("all", *DIFFICULTIES):
            rows = own if bin_ == "all" else own[own["difficulty"] == bin_]
            found.append(_accuracy(context, bin_, rows, kept["pass_rate"].reindex(rows.index)))
    return found


def _accuracy(context: str | None, bin_: str, rows: pd.DataFrame, pass_rate: pd.Series) -> Accuracy:
    values, clusters = rows["accuracy"].to_numpy(float), rows.index.to_numpy()
    difference = None
    if context is not None:
        difference = cluster_estimate(values - pass_rate.to_numpy(float), clusters)
    rollouts = int(rows["rollouts"].sum())
    truncated = float(rows["truncated"].sum() / rollouts) if rollouts else float("nan")
    return Accuracy(
        BASELINE if context is None else context,
        bin_,
        cluster_estimate(values, clusters, limits=SHARE),
        difference,
        rollouts,
        truncated,
    )


def counts(screening: Screening) -> dict[str, int]:
    """Number of questions with a pass rate by difficulty; `never` is a pass rate of 0."""
    found = screening.questions["difficulty"].value_counts().to_dict()
    return {bin_: int(found.get(bin_, 0)) for bin_ in (*DIFFICULTIES, "never")}
