"""What a screening found (method §6): pass rates, which questions are kept, and accuracy with each context.

Only questions that the student answers at all, and for which every context that is compared could be made, are kept, so
that all contexts are compared on the same questions. Intervals are bootstrap over questions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import ValidationError

from odd.config import BASELINE
from odd.config.teachers import ContextKind, TeacherConfig
from odd.findings.statistics import Estimate, cluster_bootstrap
from odd.method.success import difficulty
from odd.store.run import Run

DIFFICULTIES = ("easy", "medium", "hard")
UNFINISHED = "not screened yet"
SEED = 0
# what the paper calls the contexts, by kind and by whether a larger model wrote the demonstrations
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
    """What was found out.

    Attributes:
        questions: a row per question in the order of the run: `question` (number), `id`, `text`; `rollouts`, `correct`
            and `truncated` without a context, `pass_rate` (NaN before they are drawn), `difficulty` (None likewise),
            `kept`, and `reason`, why not.
        accuracy: a row per question and context that could be made: `question`, `context`, `rollouts`, `correct`,
            `truncated`, `accuracy`.
        contexts: names, in order.
        in_paper: what the paper calls them; those it does not have are left out.
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
    """Why a question is not kept: nothing is right, contexts that could not be made, or work that is left."""
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
    """How often the student is right with a context on some of the kept questions.

    Attributes:
        context: name; `BASELINE` for none.
        difficulty: of the questions; "all" for all of them.
        accuracy: 0 to 1, its n counting questions.
        difference: from the baseline on the same questions; None for the baseline itself.
        rollouts: under the context.
        truncated: share of them that were cut at the length limit; NaN without any.
    """

    context: str
    difficulty: str
    accuracy: Estimate
    difference: Estimate | None
    rollouts: int
    truncated: float


def accuracies(screening: Screening) -> list[Accuracy]:
    """Every context, the baseline first, over all kept questions and by difficulty."""
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
        difference = cluster_bootstrap(values - pass_rate.to_numpy(float), clusters, SEED)
    rollouts = int(rows["rollouts"].sum())
    truncated = float(rows["truncated"].sum() / rollouts) if rollouts else float("nan")
    return Accuracy(
        BASELINE if context is None else context,
        bin_,
        cluster_bootstrap(values, clusters, SEED),
        difference,
        rollouts,
        truncated,
    )


def counts(screening: Screening) -> dict[str, int]:
    """Questions by bin of difficulty, `never` for a pass rate of 0, of all that have a pass rate."""
    found = screening.questions["difficulty"].value_counts().to_dict()
    return {bin_: int(found.get(bin_, 0)) for bin_ in (*DIFFICULTIES, "never")}
