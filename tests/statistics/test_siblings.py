"""Scores from their components, and what they are when success is shuffled among siblings."""

from itertools import permutations

import numpy as np
import pytest

from odd.alignment import cosine, gain, success_range, teacher_advantage
from odd.gradients import ideal_gradient
from odd.statistics import Siblings, node_numbers, noise_floor

NAN = float("nan")


def siblings(rng, nodes=40, teachers=3, width=4):
    """Scores of some teachers at nodes of 2 to `width` children, padded."""
    count = rng.integers(2, width + 1, nodes)
    there = np.arange(width) < count[:, None]
    p = np.where(there, rng.dirichlet(np.ones(width), nodes), 0.0)
    success = np.where(there, rng.random((nodes, width)), NAN)
    node = np.repeat(np.arange(nodes), teachers)
    shift = rng.normal(size=(nodes * teachers, width)) * there[node]
    shift -= there[node] * shift.sum(axis=1, keepdims=True) / count[node][:, None]
    gradient = rng.normal(size=(nodes * teachers, width)) * there[node]
    return Siblings(p[node], shift, success[node], gradient, there[node], node)


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
    one = Siblings(p[None], shift, success[None], np.ones((1, 2)), np.ones((1, 2), bool), np.zeros(1, np.int64))
    expected = teacher_advantage(np.log(p), np.log(q), success)
    np.testing.assert_allclose(one.scores().advantage, expected)


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


def test_the_noise_floor_of_a_teacher_that_knows_the_truth_is_centred_on_nothing():
    rng = np.random.default_rng(4)
    some = siblings(rng, nodes=300, teachers=1, width=2)
    knowing = Siblings(some.p, some.shift, some.success, ideal_gradient(some.p, some.success), some.inside, some.node)
    floor = noise_floor(knowing, 200, rng)
    assert knowing.scores().alignment == pytest.approx(1)
    means = floor.alignment.mean(axis=1)
    assert abs(means.mean()) < 4 * means.std() / np.sqrt(200) and means.std() == pytest.approx(
        1 / np.sqrt(300), rel=0.2
    )


def test_the_gain_and_the_advantage_are_unbiased_under_shuffling(some):
    floor = noise_floor(some, 2000, np.random.default_rng(5))
    for values in (floor.gain, floor.advantage):
        spread = values.std(axis=0) / np.sqrt(2000)
        assert (np.abs(values.mean(axis=0)) < 5 * spread).all()


def test_many_scores_are_shuffled_less_often(monkeypatch):
    monkeypatch.setattr("odd.statistics.siblings.MOST", 120 * 30)
    assert len(noise_floor(siblings(np.random.default_rng(6)), 200, np.random.default_rng(7)).alignment) == 30


def test_nodes_are_numbered_by_all_keys():
    assert node_numbers(np.array([1, 0, 1, 1]), np.array([5, 5, 5, 2])).tolist() == [2, 0, 2, 1]
    assert node_numbers(np.empty(0, np.int64)).tolist() == []


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_the_noise_floor_holds_the_scores_of_all_orders_of_success_equally_often_and_alike_for_all_teachers(
    monkeypatch, own, drawn
):
    rng = np.random.default_rng(0)
    some = siblings(rng, nodes=1, width=3)
    if own:  # of one teacher another child counts
        inside = some.inside.copy()
        inside[1, 0] = False
        some = Siblings(some.p, some.shift, some.success, some.gradient, inside, some.node)
    if drawn:  # too many orders to go through them all
        monkeypatch.setattr("odd.statistics.siblings.math.factorial", lambda width: 10**6)
    floor = noise_floor(some, 3000, rng)
    orders = list(permutations(range(some.p.shape[1])))
    anew = [some.with_success(some.success[:, order]).scores() for order in orders]
    for name in ("alignment", "gain", "advantage"):
        every = np.stack([getattr(one, name) for one in anew])
        which = np.abs(getattr(floor, name)[:, None] - every).max(axis=2) < 1e-5
        assert (which.sum(axis=1) == 1).all()
        assert (np.abs(which.mean(axis=0) - 1 / len(orders)) < 5 / np.sqrt(3000 * len(orders))).all()
