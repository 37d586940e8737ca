"""Quarters of the rollouts, and leave-one-out baselines."""

import numpy as np
import pytest

from odd.method.influence import QUARTERS, advantages, inner_products, judges_of, outcome_weights, quarter_of


def test_each_rollout_is_compared_with_the_mean_of_the_others():
    correct = np.array([True, False, False, True, False])
    expected = [own - np.delete(correct, i).mean() for i, own in enumerate(correct.astype(float))]
    np.testing.assert_allclose(advantages(correct), expected)


def test_one_rollout_has_no_baseline():
    with pytest.raises(ValueError, match="at least two rollouts, got 1"):
        advantages(np.array([True]))


def test_no_rollout_is_judged_by_a_quarter_that_it_is_in():
    for quarter in range(QUARTERS):
        half = quarter % 2
        assert quarter not in judges_of(half)
    assert sorted(judges_of(0) + judges_of(1)) == [0, 1, 2, 3]


def test_each_quarter_weighs_only_its_own_rollouts():
    correct = np.random.default_rng(0).random(23) < 0.4
    weights = outcome_weights(correct)
    quarters = quarter_of(23)
    for quarter in range(QUARTERS):
        own = quarters == quarter
        assert not weights[quarter, ~own].any()
        np.testing.assert_allclose(weights[quarter, own], advantages(correct[own]) / own.sum())


def test_equal_outcomes_have_no_gradient():
    assert not outcome_weights(np.ones(8, bool)).any()


def test_the_weights_are_unbiased_for_the_gradient_of_success():
    # two outcomes with probability p and 1 - p; d/dz of p, with z the log-odds, is p (1 - p)
    p, rng = 0.3, np.random.default_rng(1)
    drawn = rng.random((4000, 16)) < p
    score = drawn - p
    estimates = [outcome_weights(correct)[0] @ own for correct, own in zip(drawn, score, strict=True)]
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - p * (1 - p)) < 4 * error


def test_products_sum_over_the_vocabulary():
    rng = np.random.default_rng(2)
    moves, gradients = rng.normal(size=(2, 3, 5)), rng.normal(size=(4, 3, 5))
    found = inner_products(moves, gradients)
    assert found.shape == (2, 4, 3)
    np.testing.assert_allclose(found[1, 2], (moves[1] * gradients[2]).sum(-1))


def test_a_constant_added_to_the_logits_of_a_node_changes_nothing():
    rng = np.random.default_rng(3)
    moves, gradients = rng.normal(size=(2, 3, 5)), rng.normal(size=(4, 3, 5))
    gradients -= gradients.mean(-1, keepdims=True)
    shifted = inner_products(moves + rng.normal(size=(2, 3, 1)), gradients)
    np.testing.assert_allclose(shifted, inner_products(moves, gradients), atol=1e-12)
