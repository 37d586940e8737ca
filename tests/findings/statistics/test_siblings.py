"""Scores from their components, with true success and with success shuffled among siblings."""

import numpy as np
import pytest

from odd.findings.statistics import Siblings, node_numbers
from odd.method.alignment import cosine, gain, success_range, teacher_advantage
from odd.method.gradients import ideal_gradient
from tests.findings.statistics.made_siblings import NAN, siblings


def pair(p, shift, success, rest):
    """One score at a node with two children."""
    rows = p[None], shift, success[None], np.ones((1, 2)), np.ones((1, 2), bool)
    return Siblings(*rows, np.zeros(1, np.int64), np.full(1, rest))


@pytest.fixture
def some():
    return siblings(np.random.default_rng(0))


def test_padding_takes_no_part(some):
    scores = some.scores()
    for row in (0, 7, 50):
        there = some.inside[row]
        p, success, gradient = some.p[row, there], some.success[row, there], some.gradient[row, there]
        ideal = ideal_gradient(p, success)
        np.testing.assert_allclose(scores.alignment[row], cosine(ideal, gradient))
        np.testing.assert_allclose(scores.gain[row], gain(ideal, gradient))
        np.testing.assert_allclose(scores.success_range[row], success_range(success))


def test_the_advantage_is_that_of_renormalised_probabilities():
    p, q, success = np.array([0.3, 0.1]), np.array([0.2, 0.4]), np.array([0.9, 0.5])
    shift = (q / q.sum() - p / p.sum())[None]
    one = pair(p, shift, success, NAN)
    expected = teacher_advantage(p / p.sum(), q / q.sum(), success, np.zeros(()))
    np.testing.assert_allclose(one.scores().advantage, expected)


def test_a_rest_counts_for_gain_and_advantage_and_not_for_the_cosine():
    p, q, success, rest = np.array([0.3, 0.1]), np.array([0.2, 0.4]), np.array([0.9, 0.5]), np.array(0.7)
    with_rest, without = (pair(p, (q - p)[None], success, value).scores() for value in (rest, NAN))
    np.testing.assert_allclose(with_rest.advantage, teacher_advantage(p, q, success, rest))
    np.testing.assert_allclose(with_rest.gain, gain(ideal_gradient(p, success, rest), np.ones(2)))
    np.testing.assert_array_equal(with_rest.alignment, without.alignment)
    assert (with_rest.gain != without.gain).all()


def test_an_unknown_success_leaves_the_score_undefined(some):
    success = some.success.copy()
    success[0, 0] = NAN
    scores = some.with_success(success).scores()
    assert all(np.isnan(getattr(scores, name)[0]) for name in ("alignment", "gain", "advantage", "success_range"))
    assert not np.isnan(scores.alignment[3])


def test_shuffling_keeps_the_successes_of_a_node_and_is_the_same_for_its_teachers(some):
    shuffled = some.shuffled(np.random.default_rng(1)).success
    np.testing.assert_array_equal(np.sort(shuffled, axis=1), np.sort(some.success, axis=1))
    np.testing.assert_array_equal(shuffled[0::3], shuffled[1::3])
    assert np.isnan(shuffled[~some.inside]).all() and (shuffled != some.success)[some.inside].any()


def test_shuffling_a_pair_swaps_it_half_of_the_time():
    pair = siblings(np.random.default_rng(2), nodes=4000, teachers=1, width=2)
    swapped = (pair.shuffled(np.random.default_rng(3)).success != pair.success).any(axis=1)
    assert abs(swapped.mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)


def test_nodes_are_numbered_by_all_keys():
    assert node_numbers(np.array([1, 0, 1, 1]), np.array([5, 5, 5, 2])).tolist() == [2, 0, 2, 1]
    assert node_numbers(np.empty(0, np.int64)).tolist() == []
