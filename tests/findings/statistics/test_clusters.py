"""Intervals over questions: they cover, they respect clusters, and undefined scores stay out."""

import numpy as np
import pytest
from scipy import stats

from odd.findings.statistics import (
    SHARE,
    cluster_correlation,
    cluster_difference,
    cluster_estimate,
    cluster_means,
    positive,
)

NAN = float("nan")


def test_the_estimate_is_the_weighted_mean_of_what_is_defined():
    values, weights = np.array([1.0, 0.0, NAN, 5.0]), np.array([3.0, 1.0, 1.0, NAN])
    estimate = cluster_estimate(values, np.array(["a", "b", "b", "c"]), weights)
    assert (estimate.value, estimate.n, estimate.clusters) == (0.75, 2, 2)


def test_the_interval_covers_the_truth_at_the_nominal_rate():
    random, covered, runs = np.random.default_rng(1), 0, 300
    clusters = np.repeat(np.arange(40), 5)
    for _ in range(runs):
        values = np.repeat(random.normal(0.3, 1, 40), 5) + random.normal(0, 0.2, 200)
        estimate = cluster_estimate(values, clusters)
        covered += estimate.low <= 0.3 <= estimate.high
    assert abs(covered / runs - 0.95) < 4 * np.sqrt(0.95 * 0.05 / runs)


def test_repeating_the_scores_of_a_question_adds_no_certainty():
    values, clusters = np.random.default_rng(2).normal(size=30), np.arange(30)
    once = cluster_estimate(values, clusters)
    often = cluster_estimate(np.repeat(values, 9), np.repeat(clusters, 9))
    np.testing.assert_allclose([often.low, often.high], [once.low, once.high])


def test_one_question_has_no_interval_and_no_score_has_no_value():
    single = cluster_estimate(np.array([1.0, 2.0]), np.array([7, 7]))
    assert single.value == 1.5 and np.isnan(single.low) and np.isnan(single.high)
    empty = cluster_estimate(np.array([NAN]), np.array([1]))
    assert np.isnan(empty.value) and empty.n == empty.clusters == 0


def test_the_fraction_positive_is_a_mean_that_leaves_undefined_scores_out():
    estimate = cluster_estimate(positive(np.array([0.5, -0.1, 0.0, NAN])), np.arange(4))
    assert estimate.value == 1 / 3 and estimate.n == 3


def test_the_range_weighted_cosine_is_a_mean_with_weights():
    cosine, spread = np.array([1.0, -1.0, NAN]), np.array([0.6, 0.2, 0.9])
    estimate = cluster_estimate(cosine, np.arange(3), spread)
    np.testing.assert_allclose(estimate.value, 0.5)
    assert np.isnan(cluster_estimate(cosine, np.arange(3), np.zeros(3)).value)


@pytest.mark.parametrize("questions", range(3, 9))
def test_no_p_value_is_below_that_of_equal_signs(questions):
    estimate = cluster_estimate(np.ones(questions), np.arange(questions))
    assert estimate.p == 2.0 ** (1 - questions)


@pytest.mark.parametrize("questions", [1, 2])
def test_below_three_questions_there_is_no_interval_and_below_six_no_verdict(questions):
    estimate = cluster_estimate(np.arange(questions) + 1.0, np.arange(questions))
    assert np.isnan([estimate.low, estimate.high, estimate.p, estimate.error]).all()
    assert not cluster_estimate(np.ones(5), np.arange(5)).has_verdict
    assert cluster_estimate(np.ones(6), np.arange(6)).has_verdict


def test_an_interval_stays_within_what_is_possible():
    found = cluster_estimate(np.array([0.0, 1.0, 1.0]), np.arange(3), limits=SHARE)
    assert (found.low, found.high) == (0.0, 1.0)


def test_with_equal_weights_the_interval_is_student_s():
    values = np.random.default_rng(3).normal(size=7)
    found = cluster_estimate(values, np.arange(7))
    expected = stats.t.interval(0.95, 6, values.mean(), stats.sem(values))
    np.testing.assert_allclose([found.low, found.high], expected)
    assert found.error == pytest.approx(stats.sem(values))


def test_the_difference_of_a_group_to_the_others_is_that_of_their_weighted_means():
    values, weights = np.array([1.0, 0.0, 0.5, NAN]), np.array([3.0, 1.0, 2.0, 1.0])
    group = np.array([True, True, False, False])
    difference = cluster_difference(values, np.array([0, 1, 0, 1]), group, weights)
    assert difference.value == 0.75 - 0.5
    assert difference.clusters == 1 and np.isnan(difference.low)


def test_shared_variation_of_questions_does_not_widen_a_difference():
    level = np.random.default_rng(4).normal(0, 10, 20)
    clusters, group = np.tile(np.arange(20), 2), np.repeat([True, False], 20)
    difference = cluster_difference(np.concatenate([level + 1, level]), clusters, group)
    np.testing.assert_allclose([difference.value, difference.low, difference.high], 1)


def test_a_side_without_scores_leaves_the_difference_undefined():
    difference = cluster_difference(np.ones(3), np.arange(3), np.ones(3, dtype=bool))
    assert np.isnan(difference.value) and np.isnan(difference.low) and difference.clusters == 0


def test_the_p_value_is_small_where_the_interval_excludes_the_null_and_only_there():
    values = np.random.default_rng(5).normal(0.4, 1, 60)
    for null in (0.0, 0.4, 1.2):
        estimate = cluster_estimate(values, np.arange(60), null=null)
        assert (estimate.p < 0.05) == (not estimate.low <= null <= estimate.high)
    assert np.isnan(cluster_estimate(np.ones(2), np.zeros(2)).p)


def test_a_correlation_is_pearson_s_and_its_interval_takes_questions_for_the_sample():
    random = np.random.default_rng(6)
    x = random.normal(size=80)
    y, clusters = x + random.normal(size=80), np.repeat(np.arange(20), 4)
    found = cluster_correlation(x, y, clusters)
    np.testing.assert_allclose(found.value, np.corrcoef(x, y)[0, 1])
    often = cluster_correlation(np.tile(x, 3), np.tile(y, 3), np.tile(clusters, 3))
    np.testing.assert_allclose([often.low, often.high], [found.low, found.high])
    assert found.low < found.value < found.high and found.p < 0.01


def test_without_spread_there_is_no_correlation():
    assert np.isnan(cluster_correlation(np.ones(4), np.arange(4.0), np.arange(4)).value)
    assert cluster_correlation(np.array([NAN, 1.0]), np.array([1.0, NAN]), np.arange(2)).n == 0


def test_questions_have_weighted_means_of_their_own():
    means = cluster_means(np.array([1.0, 0.0, NAN, 2.0]), np.array([3, 3, 4, 5]), np.array([3.0, 1.0, 1.0, 0.0]))
    assert means == {3: 0.75}


@pytest.mark.slow
@pytest.mark.parametrize("questions", [30, 100])
def test_intervals_of_differences_and_correlations_cover_the_truth_about_as_often_as_they_say(questions):
    random, runs, covered = np.random.default_rng(7), 250, np.zeros(2)
    clusters, group = np.repeat(np.arange(questions), 6), np.tile([True, False], 3 * questions)
    for _ in range(runs):
        level = np.repeat(random.normal(0, 1, questions), 6)
        x = level + 0.5 * group + random.normal(0, 1, len(clusters))
        y = level + random.normal(0, 1, len(clusters))
        gap = cluster_difference(x, clusters, group)
        r = cluster_correlation(x - 0.5 * group, y, clusters)
        covered += [gap.low <= 0.5 <= gap.high, r.low <= 0.5 <= r.high]
    assert ((covered / runs > 0.88) & (covered / runs < 0.99)).all()
