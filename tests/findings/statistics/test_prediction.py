"""AUROC with questions as clusters, and predictions for questions not used in fitting."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from odd.findings.statistics import clustered_auroc, cross_validated_scores

NAN = float("nan")


def made_up(rng, effect, questions=30, each=12):
    groups = np.repeat(np.arange(questions), each)
    labels = rng.random(len(groups)) < np.repeat(rng.beta(4, 4, questions), each)
    return rng.normal(size=len(groups)) + effect * labels, labels, groups


def test_the_area_is_the_library_s_and_ties_count_half():
    rng = np.random.default_rng(0)
    scores, labels, groups = made_up(rng, 0.7)
    scores = scores.round(1)
    assert clustered_auroc(scores, labels, groups).value == pytest.approx(roc_auc_score(labels, scores))


def test_within_folds_a_shift_of_a_fold_does_not_matter():
    rng = np.random.default_rng(1)
    scores, labels, groups = made_up(rng, 0.7)
    folds = groups % 3
    plain, shifted = (clustered_auroc(scores + s * folds, labels, groups, folds) for s in (0.0, 100.0))
    assert plain == shifted and plain.value > 0.6


def test_the_interval_takes_questions_for_the_sample():
    rng = np.random.default_rng(2)
    scores, labels, groups = made_up(rng, 0.5)
    once = clustered_auroc(scores, labels, groups)
    often = clustered_auroc(np.tile(scores, 3), np.tile(labels, 3), np.tile(groups, 3))
    assert (once.low, once.high) == pytest.approx((often.low, often.high)) and once.clusters == 30


def test_one_label_or_no_score_has_no_area():
    assert np.isnan(clustered_auroc(np.arange(4.0), np.ones(4, bool), np.arange(4)).value)
    assert np.isnan(clustered_auroc(np.full(4, NAN), np.array([True, False] * 2), np.arange(4)).value)


def test_a_feature_that_only_knows_the_question_predicts_nothing():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), 10)
    labels = np.repeat(rng.random(20) < 0.5, 10) ^ (rng.random(200) < 0.1)
    names = np.eye(20)[groups]
    scores, folds = cross_validated_scores(names, labels, groups, 5)
    assert clustered_auroc(scores, labels, groups, folds).value == pytest.approx(0.5, abs=0.15)
    assert all(len(set(folds[groups == group])) == 1 for group in range(20))


def test_an_informative_feature_is_found():
    rng = np.random.default_rng(4)
    feature, labels, groups = made_up(rng, 2.0)
    features = np.column_stack([feature, rng.normal(size=len(feature))])
    scores, folds = cross_validated_scores(features, labels, groups, 5)
    found = clustered_auroc(scores, labels, groups, folds)
    assert found.low > 0.8 and found.p < 0.01


def test_one_question_leaves_nothing_to_evaluate_on():
    scores, _ = cross_validated_scores(np.ones((4, 1)), np.array([True, False] * 2), np.zeros(4), 5)
    assert np.isnan(scores).all()


@pytest.mark.slow
def test_the_interval_of_an_area_covers_the_truth_about_as_often_as_it_says():
    rng, covered, runs = np.random.default_rng(5), 0, 200
    truth = roc_auc_score(*(lambda s, y, g: (y, s))(*made_up(np.random.default_rng(6), 0.6, 4000)))
    for _ in range(runs):
        found = clustered_auroc(*made_up(rng, 0.6, 40))
        covered += found.low <= truth <= found.high
    assert 0.88 < covered / runs < 0.99
