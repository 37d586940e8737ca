"""Scores when success is shuffled among siblings."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from odd.findings.statistics import Siblings, noise_floor
from odd.findings.summaries import SUMMARIES, floors
from odd.method.gradients import ideal_gradient
from tests.findings.statistics.made_siblings import siblings


@pytest.fixture
def some():
    return siblings(np.random.default_rng(0))


def test_the_noise_floor_of_a_teacher_that_knows_the_truth_is_centred_on_nothing():
    rng = np.random.default_rng(4)
    some = siblings(rng, nodes=300, teachers=1, width=2)
    knowing = Siblings(
        some.p, some.shift, some.success, ideal_gradient(some.p, some.success), some.inside, some.node, some.rest
    )
    floor = noise_floor(knowing, 200, rng).scores()
    assert knowing.scores().alignment == pytest.approx(1)
    means = floor.alignment.mean(axis=1)
    assert abs(means.mean()) < 4 * means.std() / np.sqrt(200) and means.std() == pytest.approx(
        1 / np.sqrt(300), rel=0.2
    )


def test_the_gain_and_the_advantage_are_unbiased_under_shuffling(some):
    floor = noise_floor(some, 2000, np.random.default_rng(5)).scores()
    for values in (floor.gain, floor.advantage):
        spread = values.std(axis=0) / np.sqrt(2000)
        assert (np.abs(values.mean(axis=0)) < 5 * spread).all()


def test_many_scores_are_shuffled_less_often(monkeypatch):
    monkeypatch.setattr("odd.findings.statistics.noise.MOST", 120 * 30)
    assert len(noise_floor(siblings(np.random.default_rng(6)), 200, np.random.default_rng(7)).scores().alignment) == 30


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("own", [False, True])
def test_the_noise_floor_has_all_orders_of_success_equally_often_and_identically_for_all_teachers(
    monkeypatch, own, drawn
):
    rng = np.random.default_rng(0)
    some = siblings(rng, nodes=1, width=3)
    if own:  # one teacher has another child in S_u
        inside = some.inside.copy()
        inside[1, 0] = False
        some = Siblings(some.p, some.shift, some.success, some.gradient, inside, some.node, some.rest)
    if drawn:  # too many orders to enumerate
        monkeypatch.setattr("odd.findings.statistics.noise.math.factorial", lambda width: 10**6)
    floor = noise_floor(some, 3000, rng).scores()
    orders = list(permutations(range(some.p.shape[1])))
    anew = [some.with_success(some.success[:, order]).scores() for order in orders]
    for name in ("alignment", "gain", "advantage"):
        every = np.stack([getattr(one, name) for one in anew])
        which = np.abs(getattr(floor, name)[:, None] - every).max(axis=2) < 1e-5
        assert (which.sum(axis=1) == 1).all()
        assert (np.abs(which.mean(axis=0) - 1 / len(orders)) < 5 / np.sqrt(3000 * len(orders))).all()


@pytest.mark.parametrize("width", [3, 6])
def test_the_floor_of_a_summary_is_its_mean_of_the_shuffled_scores_in_each_shuffle(width):
    rng = np.random.default_rng(8)
    some = siblings(rng, width=width)
    undefined = rng.random(len(some.node)) < 0.1
    noise = noise_floor(some, 30, rng, undefined)
    sets = [np.arange(len(some.node)), np.array([3, 5, 80]), np.arange(0, len(some.node), 3)]
    scores, found = noise.scores(), floors(noise, sets)
    for draw in range(30):
        columns = {name: getattr(scores, name)[draw].astype(float) for name in scores.__dataclass_fields__}
        points = pd.DataFrame({"question": 0, **columns})
        for summary in SUMMARIES:
            means = [summary.estimate(points.iloc[members]).value for members in sets]
            assert found[summary][:, draw] == pytest.approx(means, abs=1e-5)


def test_undefined_scores_have_no_cosine_and_no_gain_under_any_permutation(some):
    undefined = np.arange(len(some.node)) == 4
    scores = noise_floor(some, 20, np.random.default_rng(9), undefined).scores()
    for values in (scores.alignment, scores.gain):
        assert (np.isnan(values) == undefined).all()
