"""Prediction of the sign of the alignment from a single forward pass of student and teacher.

A logistic regression is fitted on some questions and evaluated on others. Its features need no rollouts: divergences,
entropies, overlap of the most likely tokens, depth, and the probabilities of the taken token.
"""

import numpy as np
import pandas as pd

from odd.findings import words
from odd.findings.evidence import Evidence
from odd.findings.model import ALL_TEACHERS, Cell, Found, Row
from odd.findings.statistics import Estimate, clustered_auroc, cross_validated_scores
from odd.findings.written import state

FEATURES = {
    "kl_student_teacher": "KL(student ‖ teacher)",
    "kl_teacher_student": "KL(teacher ‖ student)",
    "js": "JS divergence",
    "l2": "L2 distance",
    "probability_cosine": "probability cosine",
    "entropy_student": "entropy of the student",
    "entropy_teacher": "entropy of the teacher",
    "overlap_top16": "top-16 overlap",
    "teacher_mass_student_top16": "teacher mass on the student's top 16",
    "student_mass_teacher_top16": "student mass on the teacher's top 16",
    "normalised_depth": "depth, as a share of the path",
    "position": "depth, in tokens",
    "p_teacher": "teacher probability of the taken token",
    "p_student": "student probability of the taken token",
}
SKEWED = ("kl_student_teacher", "kl_teacher_student", "js", "position")
"""Features that enter the regression as log(1 + x)."""
FOLDS = 5
MODEL = "logistic regression"


def find(evidence: Evidence) -> Found:
    """AUROC of the regression, over all teachers and per teacher, and of single features."""
    steps = evidence.with_features(evidence.chosen_steps().drop_duplicates("point"))
    known = steps[[*FEATURES, "alignment"]].replace([np.inf, -np.inf], np.nan).notna().all(axis=1)
    steps = steps[known]
    if steps["question"].nunique() < 2 or steps["alignment"].gt(0).nunique() < 2:
        return Found((), ("The prediction needs scored tokens of both signs in at least two questions.",))
    names = [name for name in evidence.scored if (steps["teacher"] == name).any()]
    rows = [_regression(steps, None)]
    rows += [_regression(steps[steps["teacher"] == name], name) for name in names] if len(names) > 1 else []
    rows += [_single(steps, feature, text) for feature, text in FEATURES.items()]
    auroc = rows[0].cells["all"].estimate
    verdict = {"above": "better than", "below": "worse than", "open": "no better than"}[state(auroc, 0.5)]
    verdict = verdict if auroc.has_verdict else "with too few questions to compare it with"
    single = max(rows[-len(FEATURES) :], key=lambda row: abs(row.cells["all"].estimate.value - 0.5))
    text = (
        f"On held-out questions, the regression separates helpful from harmful tokens {verdict} chance: AUROC "
        f"{words.value(auroc, 0.5)}, where 0.5 is chance. The single feature furthest from 0.5 is "
        f"{single.labels[0]} ({words.value(single.cells['all'].estimate, 0.5)}; below 0.5, larger values mean harm)."
    )
    return Found(tuple(rows), (text,))


def _regression(steps: pd.DataFrame, teacher: str | None) -> Row:
    features = steps[list(FEATURES)].to_numpy(float)
    skewed = [list(FEATURES).index(name) for name in SKEWED]
    features[:, skewed] = np.log1p(features[:, skewed])
    helpful = steps["alignment"].to_numpy(float) > 0
    scores, folds = cross_validated_scores(features, helpful, steps["question"].to_numpy(), FOLDS)
    return Row((MODEL, teacher or ALL_TEACHERS), _cells(steps, scores, folds), steps["point"].to_numpy())


def _single(steps: pd.DataFrame, feature: str, text: str) -> Row:
    """A single feature: nothing is fitted, so no folds are needed."""
    cells = _cells(steps, steps[feature].to_numpy(float), None)
    return Row((text, ALL_TEACHERS), cells, steps["point"].to_numpy())


def _cells(steps: pd.DataFrame, scores: np.ndarray, folds: np.ndarray | None) -> dict[str, Cell]:
    """AUROC over all tokens, and over those with a settled sign."""
    settled = ~steps["p_positive"].between(0.025, 0.975, inclusive="neither").to_numpy()

    def auroc(rows: np.ndarray) -> Estimate:
        part = steps[rows]
        helpful = part["alignment"].to_numpy(float) > 0
        return clustered_auroc(
            scores[rows], helpful, part["question"].to_numpy(), None if folds is None else folds[rows]
        )

    return {"all": Cell(auroc(np.ones(len(steps), bool))), "settled": Cell(auroc(settled))}
