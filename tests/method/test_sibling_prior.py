"""The prior shared by siblings: calibrated, and never less informed than the counts."""

import numpy as np
import pytest
from scipy.special import betaincinv

from odd.method.sibling_prior import APART, CONCENTRATIONS, SiblingPrior, equivalent_counts, fit_sibling_prior

NODES, K, N = 60, 4, 40


def made_up(seed, concentration=60.0, dead=0.2, visits=N):
    """Simulate children around the value of their node, some with success near 0: truth, successes, visits, node."""
    rng = np.random.default_rng(seed)
    node = np.repeat(np.arange(NODES), K)
    m = rng.uniform(0.05, 0.95, NODES)[node]
    truth = rng.beta(m * concentration, (1 - m) * concentration)
    truth[rng.random(len(truth)) < dead] = 0.0
    seen = np.full(len(truth), visits)
    return truth, rng.binomial(seen, truth), seen, node


def only(component):
    weights = np.zeros(len(CONCENTRATIONS) + len(APART))
    weights[component] = 1.0
    return SiblingPrior(weights)


def fitted(seed, **made):
    truth, won, seen, node = made_up(seed, **made)
    return truth, won, seen, node, fit_sibling_prior(won, seen, node)


@pytest.mark.parametrize("concentration", [10.0, 400.0])
def test_intervals_contain_the_truth_95_percent_of_the_time(concentration):
    held = []
    for seed in range(6):
        truth, won, seen, node, prior = fitted(seed, concentration=concentration)
        rng = np.random.default_rng(seed)
        for u in range(NODES):
            low, high = prior.intervals(won[node == u], seen[node == u], 400, rng)
            held += ((low <= truth[node == u]) & (truth[node == u] <= high)).tolist()
    assert 0.93 < np.mean(held) < 0.985


def test_posterior_means_are_closer_to_the_truth_than_rates():
    truth, won, seen, node, prior = fitted(0)
    means = np.concatenate([prior.mean(won[node == u], seen[node == u]) for u in range(NODES)])
    assert np.mean((means - truth) ** 2) < 0.8 * np.mean((won / seen - truth) ** 2)


def test_similar_children_have_narrower_intervals():
    widths = []
    for concentration in (1.0, 1000.0):
        prior = fitted(0, concentration=concentration, dead=0.0)[-1]
        low, high = prior.intervals(np.array([20, 20, 20]), np.array([40, 40, 40]), 2000, np.random.default_rng(0))
        widths.append((high - low).mean())
    assert widths[1] < 0.8 * widths[0]


def test_many_visits_override_the_siblings():
    prior = fitted(0, concentration=1000.0)[-1]
    mean = prior.mean(np.array([2000, 8000]), np.array([10_000, 10_000]))
    assert mean == pytest.approx([0.2, 0.8], abs=0.01)


def test_the_uninformative_component_is_jeffreys():
    draws = only(-1).draws(np.array([3, 0]), np.array([10, 10]), 40_000, np.random.default_rng(0))
    ends = [[betaincinv(s + 0.5, 10 - s + 0.5, tail) for s in (3, 0)] for tail in (0.025, 0.975)]
    np.testing.assert_allclose(np.quantile(draws, (0.025, 0.975), axis=0), ends, atol=0.01)


def test_draws_are_centred_on_the_posterior_mean():
    prior = fitted(0)[-1]
    won, seen = np.array([3, 9, 0]), np.array([20, 25, 30])
    draws = prior.draws(won, seen, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(draws.mean(axis=0), prior.mean(won, seen), atol=0.01)


def test_a_tight_prior_correlates_the_draws_of_siblings():
    won, seen = np.array([5, 5]), np.array([10, 10])
    close, apart = (
        only(component).draws(won, seen, 4000, np.random.default_rng(0)) for component in (len(CONCENTRATIONS) - 1, -1)
    )
    assert np.corrcoef(close.T)[0, 1] > 0.9
    assert abs(np.corrcoef(apart.T)[0, 1]) < 0.1


def test_children_without_visits_are_nan_and_do_not_affect_siblings():
    prior = fitted(0)[-1]
    alone = prior.draws(np.array([4]), np.array([10]), 20_000, np.random.default_rng(0))
    beside = prior.draws(np.array([4, 0]), np.array([10, 0]), 20_000, np.random.default_rng(1))
    assert np.isnan(beside[:, 1]).all() and np.isnan(prior.mean(np.array([4, 0]), np.array([10, 0]))[1])
    assert beside[:, 0].mean() == pytest.approx(alone[:, 0].mean(), abs=0.01)


def test_intervals_are_closed_where_all_or_no_rollout_succeeded():
    low, high = fitted(0)[-1].intervals(np.array([0, 10, 5]), np.array([10, 10, 10]), 400, np.random.default_rng(0))
    assert low[0] == 0 and high[1] == 1
    assert 0 < high[0] < 1 and 0 < low[1] < 1 and 0 < low[2] < high[2] < 1


def test_weights_are_a_distribution_that_favours_the_true_component():
    close, loose = (fitted(0, concentration=c, dead=0.0, visits=400)[-1].weights for c in (1000.0, 3.0))
    assert close.sum() == pytest.approx(1) and loose.sum() == pytest.approx(1) and (close > 0).all()
    tight = np.flatnonzero(np.array(CONCENTRATIONS) >= 300)
    assert close[tight].sum() > 0.7 > 0.2 > loose[tight].sum()


def test_there_is_a_prior_even_without_visits():
    prior = fit_sibling_prior(np.zeros(3), np.zeros(3), np.array([0, 0, 1]))
    assert prior.weights == pytest.approx(np.full(len(prior.weights), 1 / len(prior.weights)))


def test_with_very_many_children_only_the_most_visited_nodes_are_used(monkeypatch):
    monkeypatch.setattr("odd.method.sibling_prior.FIT_CHILDREN", NODES * K)
    _, won, seen, node = made_up(0)
    more = np.concatenate([won, np.full(200, 1)]), np.concatenate([seen, np.full(200, 1)])
    prior = fit_sibling_prior(*more, np.concatenate([node, NODES + np.arange(200) // 4]))
    np.testing.assert_allclose(prior.weights, fit_sibling_prior(won, seen, node).weights)


def test_the_order_of_the_children_does_not_matter():
    _, won, seen, node = made_up(0)
    order = np.random.default_rng(0).permutation(len(won))
    one, other = fit_sibling_prior(won, seen, node), fit_sibling_prior(won[order], seen[order], node[order])
    np.testing.assert_allclose(one.weights, other.weights)


def test_a_backed_up_edge_counts_as_much_as_its_draws():
    rng = np.random.default_rng(0)
    sharp, blunt = rng.beta(30, 70, 20_000), rng.beta(1, 2, 20_000)
    won, seen = equivalent_counts(np.array([2, 2, 7]), np.array([10, 10, 9]), np.full(3, 0.3), {0: sharp, 1: blunt})
    assert seen == pytest.approx([100, 10, 9], rel=0.05)
    assert won == pytest.approx([0.3 * seen[0], 2, 7])
