"""The registry of measures: unique columns, and values that do not depend on what is computed together with them."""

from dataclasses import replace

import numpy as np
import pytest

from odd.method.alignment import cosine
from odd.method.gradients import ideal_gradient
from odd.method.measures import MEASURES, Nodes, colours, score_columns, scores

COUNT, TEACHERS, OBJECTIVES, CHILDREN, DRAWS = 3, 2, 2, 4, 50


@pytest.fixture
def nodes():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(CHILDREN), COUNT), rng.dirichlet(np.ones(CHILDREN), (COUNT, TEACHERS))
    pairs = TEACHERS * OBJECTIVES
    return Nodes(
        p=p,
        success=rng.random((COUNT, CHILDREN)),
        gradients=rng.normal(size=(COUNT, pairs, CHILDREN)),
        q=q,
        rest=rng.random(COUNT),
        visits=rng.integers(20, 90, COUNT),
        draws=rng.random((COUNT, DRAWS, CHILDREN)),
        rest_draws=rng.random((COUNT, DRAWS)),
        distinct=np.arange(pairs),
        copies=np.arange(pairs),
    )


def alone(nodes, at):
    own = {
        name: getattr(nodes, name)[at : at + 1]
        for name in ("p", "success", "gradients", "q", "rest", "visits", "draws", "rest_draws")
    }
    return replace(nodes, **own)


def test_no_two_measures_share_a_column():
    columns = score_columns()
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("measure", scores(), ids=lambda one: one.key)
def test_a_node_has_the_same_value_alone_and_among_others(nodes, measure):
    every = np.broadcast_to(measure.value(nodes), (COUNT, TEACHERS * OBJECTIVES))
    for at in range(COUNT):
        np.testing.assert_allclose(np.broadcast_to(measure.value(alone(nodes, at))[0], every[at].shape), every[at])


@pytest.mark.parametrize("measure", [one for one in scores() if one.ends], ids=lambda one: one.key)
def test_the_lower_end_of_an_interval_is_not_above_the_upper_one(nodes, measure):
    low, high = measure.ends(nodes)
    assert (low <= high).all()


@pytest.mark.parametrize("measure", [one for one in scores() if one.ends], ids=lambda one: one.key)
def test_a_value_is_inside_its_own_interval(nodes, measure):
    # the draws are unrelated to the success, so the posterior itself is far from the value
    low, high = measure.bounds(replace(nodes, draws=nodes.draws / 100, rest_draws=nodes.rest_draws / 100))
    value = np.broadcast_to(measure.value(nodes), low.shape)
    assert ((low <= value) & (value <= high)).all()


@pytest.mark.parametrize("measure", [one for one in scores() if one.halves], ids=lambda one: one.key)
def test_measures_of_halves_need_no_draws(nodes, measure):
    without = replace(nodes, draws=nodes.draws[:, :0], rest_draws=nodes.rest_draws[:, :0])
    np.testing.assert_array_equal(measure.value(without), measure.value(nodes))


def test_the_advantage_of_a_teacher_is_the_same_under_every_objective(nodes):
    found = MEASURES["advantage"].value(nodes).reshape(COUNT, TEACHERS, OBJECTIVES)
    assert (found[..., 0] == found[..., 1]).all() and (found[:, 0] != found[:, 1]).all()


def test_objectives_without_a_teacher_are_copied_from_the_first_pair(nodes):
    same = replace(nodes, distinct=np.array([0, 1, 2]), copies=np.array([0, 1, 2, 1]))
    low, high = MEASURES["gain"].ends(same)
    np.testing.assert_array_equal(low[:, 3], low[:, 1])
    np.testing.assert_array_equal(high[:, 3], high[:, 1])


def test_the_alignment_is_the_cosine_of_the_method(nodes):
    ideal = ideal_gradient(nodes.p, nodes.success)
    np.testing.assert_allclose(MEASURES["alignment"].value(nodes), cosine(ideal[:, None], nodes.gradients))


@pytest.mark.parametrize("measure", colours().values(), ids=lambda one: one.key)
def test_a_colour_explains_both_ends(measure):
    assert measure.low and measure.high and measure.low != measure.high
