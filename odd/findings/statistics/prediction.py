"""Prediction of the sign of a score from features of a single forward pass, evaluated on held-out questions."""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

from odd.findings.statistics.clusters import Estimate, cluster_ratio


def cross_validated_scores(
    features: Float[np.ndarray, "N F"], labels: Bool[np.ndarray, " N"], groups: Shaped[np.ndarray, " N"], folds: int
) -> tuple[Float64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
    """Log-odds of a logistic regression, each from a fit on other questions.

    Features are standardised on the training questions; the penalty is scikit-learn's default (L2, C = 1).

    Args:
        features: finite values.
        labels: labels to predict.
        groups: question of each row; a question is in one fold only.
        folds: number of folds; at most the number of questions is used.

    Returns:
        Log-odds and fold number of each row; log-odds are NaN if the training questions have only one label.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    scores, fold = np.full(len(labels), np.nan), np.full(len(labels), -1, dtype=np.int64)
    folds = min(folds, len(np.unique(groups)))
    if folds < 2:
        return scores, fold
    for number, (fit, test) in enumerate(GroupKFold(folds).split(features, labels, groups)):
        fold[test] = number
        if len(np.unique(labels[fit])) == 2:
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            scores[test] = model.fit(features[fit], labels[fit]).decision_function(features[test])
    return scores, fold


def clustered_auroc(
    scores: Float[np.ndarray, " N"],
    labels: Bool[np.ndarray, " N"],
    clusters: Shaped[np.ndarray, " N"],
    folds: Int64[np.ndarray, " N"] | None = None,
) -> Estimate:
    """Area under the ROC curve, with an interval over questions; null value 0.5.

    It is the share of pairs of a positive and a negative row in which the positive one has the higher score (ties count
    half). Scores of different folds come from different fits, with intercepts biased against the held-out questions,
    so only pairs within a fold are compared.

    Args:
        scores: NaN is left out.
        labels: classes to separate.
        clusters: question of each row.
        folds: fold of each row; None compares all pairs.
    """
    defined = ~np.isnan(scores)
    x, positive = scores[defined], labels[defined]
    every, which = np.unique(clusters[defined], return_inverse=True)
    fold = np.zeros(len(x), dtype=np.int64) if folds is None else folds[defined]
    wins, pairs = np.zeros((2, len(every), len(every)))
    for other in range(len(every)):
        negative = np.sort(x[(which == other) & ~positive])
        if not len(negative):
            continue
        rows = positive & (fold == fold[which == other][0]) if folds is not None else positive
        below = (np.searchsorted(negative, x[rows]) + np.searchsorted(negative, x[rows], "right")) / 2
        wins[:, other] = np.bincount(which[rows], below, len(every))
        pairs[:, other] = np.bincount(which[rows], minlength=len(every)) * len(negative)
    return cluster_ratio(wins, pairs, len(x), null=0.5)
