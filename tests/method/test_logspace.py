"""Vectors of log-probabilities: precise for tiny masses, deterministic for ties."""

import jaxtyping
import numpy as np
import pytest

from odd.method.logspace import coarsen, condition, log_sum_exp, restrict, soften, top_k_mask, top_k_support, truncate


def test_shape_annotations_are_enforced_in_tests():
    with pytest.raises(jaxtyping.TypeCheckError):
        coarsen(np.zeros(3), np.zeros(2))


def test_a_rest_far_below_rounding_keeps_its_digits():
    log_p = np.array([0.0, -60.0, -61.0])
    np.testing.assert_allclose(coarsen(log_p, np.array([0]))[1], -60 + np.log1p(np.exp(-1)))


def test_log_sum_exp_of_nothing_is_minus_infinity():
    assert log_sum_exp(np.full((2, 3), -np.inf)).tolist() == [-np.inf] * 2
    assert coarsen(np.array([-0.7, -0.7]), np.array([1, 0]))[2] == -np.inf


def test_restrict_equals_condition_without_the_other_entries():
    log_p = soften(np.random.default_rng(0).normal(size=(2, 6)), 2.0)
    support = np.array([4, 1])
    mask = np.isin(np.arange(6), support)
    np.testing.assert_allclose(restrict(log_p, support), condition(log_p, mask[None])[:, support])


def test_no_mass_on_the_support_is_undefined():
    assert np.isnan(restrict(np.array([0.0, -np.inf]), np.array([1]))).all()


def test_ties_among_the_top_k_go_to_the_lower_token():
    assert top_k_mask(np.array([0.1, 0.4, 0.1, 0.1, 0.3]), 3).tolist() == [True, True, False, False, True]
    assert top_k_mask(np.zeros((2, 4)), 2).tolist() == [[True, True, False, False]] * 2


@pytest.mark.parametrize("tail", ("bucket", "renormalize"))
def test_truncated_distributions_sum_to_one(tail):
    log_p, log_q = (soften(np.random.default_rng(seed).normal(size=(3, 7)), 0.5) for seed in (0, 1))
    for log_x in truncate(log_p, log_q, top_k_support(log_p, log_q, 2, "union"), tail):
        np.testing.assert_allclose(log_sum_exp(log_x), 0, atol=1e-12)
