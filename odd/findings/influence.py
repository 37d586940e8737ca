"""What a step of training will do, to first order: predicted gain per teacher, and which questions teach which.

Influence is the only score of a run that knows that all tokens share the parameters (method §9).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row
from odd.findings.ranking import falling
from odd.findings.statistics import SHARE, Estimate, cluster_correlation, cluster_estimate, pair_mean

STEP = 0.01
"""Length in the parameters of the step whose effect is predicted."""
ABSENT = "The influence of tokens is not computed for this run and objective: compute it with odd influence RUN."
EQUAL = "Every teacher equals the student, so a step of training changes nothing."
NEGLIGIBLE = 1e-9
"""Norm of a gradient in the parameters below which a teacher equals the student."""


def find(evidence: Evidence) -> Found:
    """Predicted change of success on the same questions and on others, and how far two halves of the rollouts agree."""
    effects = _effects(evidence)
    if not effects:
        return _nothing(evidence)
    tokens = evidence.run.query("influence_paths", objective=evidence.filters.objective)
    rollouts = evidence.run.query("influence_rollouts", objective=evidence.filters.objective)
    rollouts = rollouts[rollouts["target"] == "same"]
    same = {name: pair_mean(*effect.same) for name, effect in effects.items()}
    other = {name: pair_mean(*effect.other) for name, effect in effects.items()}
    rows = [
        Row(
            (name,),
            {
                "same": Cell(same[name]),
                "other": Cell(other[name]),
                "agree": Cell(_agreement(tokens[tokens["teacher"] == name])),
                "halves": Cell(_correlation(rollouts[rollouts["teacher"] == name])),
            },
            evidence.on(teacher=name) if name in evidence.teachers else np.empty(0, int),
        )
        for name in falling(same)
    ]
    return Found(tuple(rows), tuple(filter(None, _sentences(same, other))))


class Effects:
    """Predicted effect of a step with one teacher, by question that is trained on and question that is tested.

    Attributes:
        questions: numbers of the questions.
        values: predicted change of success, (Q, Q); NaN where the teacher has no prompt.
        tested: which questions are tested, (Q,).
    """

    def __init__(self, table: pd.DataFrame, norm: float, asked: frozenset[int]) -> None:
        """Arrange the rows of `influence_matrix` of one teacher."""
        wide = table.pivot(index="question", columns="target", values="influence")
        self.questions = wide.columns.to_numpy()
        self.values = STEP * wide.reindex(self.questions).to_numpy(float) / norm
        self.tested = np.isin(self.questions, list(asked))

    @property
    def same(self) -> tuple[np.ndarray, np.ndarray]:
        """The values, and the pairs that count for success on the questions of the run."""
        return self.values, np.broadcast_to(self.tested, self.values.shape)

    @property
    def other(self) -> tuple[np.ndarray, np.ndarray]:
        """The values, and the pairs of different questions."""
        return self.values, self.tested & ~np.eye(len(self.questions), dtype=bool)


def _effects(evidence: Evidence) -> dict[str, Effects]:
    """Return the predicted effects of every teacher that differs from the student, in the order of the run."""
    asked = {"objective": evidence.filters.objective}
    table, norms = evidence.run.query("influence_matrix", **asked), evidence.run.query("influence_norms", **asked)
    lengths = dict(zip(norms["teacher"], norms["norm"], strict=True))
    return {
        name: Effects(table[table["teacher"] == name], lengths[name], evidence.asked)
        for name in evidence.teachers
        if lengths.get(name, 0.0) > NEGLIGIBLE
    }


def _nothing(evidence: Evidence) -> Found:
    """Say why there is nothing to predict."""
    computed = len(evidence.run.query("influence_norms", objective=evidence.filters.objective))
    return Found((), (EQUAL if computed else ABSENT,))


def _agreement(tokens: pd.DataFrame) -> Estimate:
    """Share of the tokens of the paths whose two values have the same sign."""
    settled = (tokens["influence_low"] > 0) | (tokens["influence_high"] < 0)
    return cluster_estimate(settled.to_numpy(float), tokens["question"].to_numpy(), null=0.5, limits=SHARE)


def _correlation(rollouts: pd.DataFrame) -> Estimate:
    """Correlation over rollouts of the sums of their tokens by the two halves."""
    first, second = rollouts["first"].to_numpy(float), rollouts["second"].to_numpy(float)
    return cluster_correlation(first, second, rollouts["question"].to_numpy())


def _sentences(same: Mapping[str, Estimate], other: Mapping[str, Estimate]) -> list[str]:
    order = falling(same)
    step = f"predicted gain from a step of length {STEP:g} in the parameters"
    sentences = [words.ranking_sentence(order, f"{step}, on the same questions")]
    if any(one.n for one in other.values()):
        sentences.append(words.ranking_sentence(falling(other), f"{step}, on other questions"))
    sentences.append(
        "It holds to first order, for a step along all of the gradient; intervals are over questions, both those "
        "trained on and those tested."
    )
    return sentences


def find_questions(evidence: Evidence) -> Found:
    """What training on each question does to itself and to the others, and what the others do to it."""
    effects = _effects(evidence)
    if not effects:
        return _nothing(evidence)
    ids = dict(evidence.run.query("questions")[["question", "id"]].itertuples(index=False))
    own_tables = {name: effect.values for name, effect in effects.items()}
    numbers = {name: effect.questions for name, effect in effects.items()}
    tables = own_tables
    if len(effects) > 1 and len({tuple(own) for own in numbers.values()}) == 1:
        tables = {ALL_TEACHERS: np.mean(list(own_tables.values()), axis=0), **own_tables}
        numbers[ALL_TEACHERS] = next(iter(numbers.values()))
    rows = []
    for name, table in tables.items():
        mask = evidence.points["question"].to_numpy()
        on = evidence.on(teacher=None if name == ALL_TEACHERS else name)
        for place, question in enumerate(numbers[name].tolist()):
            if question in evidence.asked:
                rows.append(Row((name, str(ids[question])), _taught(table, place), on[mask[on] == question]))
    return Found(tuple(rows), _lessons(tables, numbers, ids))


def _taught(table: np.ndarray, place: int) -> dict[str, Cell]:
    """Cells of a question: on itself, on the others, and from the others."""
    others = np.arange(len(table)) != place
    return {
        "own": Cell(_mean(table[place, place : place + 1])),
        "others": Cell(_mean(table[place, others])),
        "from": Cell(_mean(table[others, place])),
    }


def _mean(values: np.ndarray) -> Estimate:
    """Mean without an interval over the other questions: one question is not a sample."""
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else np.nan
    return Estimate(mean, np.nan, np.nan, len(known), len(known))


def _lessons(
    tables: Mapping[str, np.ndarray], numbers: Mapping[str, np.ndarray], ids: Mapping[int, str]
) -> tuple[str, ...]:
    """Sentence on the question that teaches the others most, and on the one that harms them most."""
    name, table = next(iter(tables.items()))
    off = np.where(np.eye(len(table), dtype=bool), np.nan, table)
    if not (~np.isnan(off)).any():
        return ("One question teaches no other.",)
    means = np.array([_mean(row).value for row in off])
    best, worst = int(np.nanargmax(means)), int(np.nanargmin(means))
    whose = "the teachers' mean" if name == ALL_TEACHERS else words.short(name)
    own = np.nanmean(table.diagonal())
    return (
        f"By {whose}, training on {words.short(ids[numbers[name][best]])} changes success on the other questions most "
        f"({means[best]:+.4f} for a step of length {STEP:g}), and on {words.short(ids[numbers[name][worst]])} least "
        f"({means[worst]:+.4f}); a question changes success on itself by {own:+.4f} on average. These are single "
        "values without intervals.",
    )
