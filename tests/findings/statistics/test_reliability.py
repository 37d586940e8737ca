"""Split-half reliability, and how many signs more rollouts would settle."""

import numpy as np
import pytest
from scipy.stats import norm

from odd.findings.statistics import factor_for, settled_probability, spearman_brown


def test_the_whole_is_as_reliable_as_the_formula_says():
    rng = np.random.default_rng(0)
    truth, noise = rng.normal(size=200_000), rng.normal(size=(4, 200_000))
    halves = truth + noise
    r = np.corrcoef(halves[0], halves[1])[0, 1]
    # the mean of two halves against the mean of two others
    wholes = np.corrcoef(halves[:2].mean(axis=0), halves[2:].mean(axis=0))[0, 1]
    assert spearman_brown(r) == pytest.approx(wholes, abs=0.01)
    assert spearman_brown(0.0) == 0 and spearman_brown(-0.9) == -1


def test_now_a_sign_is_settled_where_its_interval_excludes_zero():
    assert settled_probability(np.array([-3.0, 1.9, 2.0, np.nan]), 1.0)[:3].tolist() == [1, 0, 1]


@pytest.mark.parametrize("factor", [2.0, 8.0])
def test_the_probability_is_that_of_drawing_the_further_rollouts(factor):
    rng = np.random.default_rng(1)
    z, draws = 1.2, 400_000
    truth = rng.normal(z, 1, draws)
    further = rng.normal(truth, 1 / np.sqrt(factor - 1))
    mean = (z + (factor - 1) * further) / factor
    settled = np.abs(mean) * np.sqrt(factor) > norm.ppf(0.975)
    assert settled_probability(np.array([z]), factor)[0] == pytest.approx(settled.mean(), abs=0.005)


def test_the_factor_is_where_the_expected_share_is_reached():
    z = np.linspace(0.3, 3, 40)
    factor = factor_for(z, 0.8)
    assert settled_probability(z, factor).mean() == pytest.approx(0.8, abs=1e-3)
    assert factor_for(np.full(5, 4.0), 0.9) == 1


def test_what_cannot_be_settled_has_no_factor():
    assert np.isnan(factor_for(np.array([0.0]), 0.9, most=2.0)) and np.isnan(factor_for(np.array([np.nan]), 0.9))
