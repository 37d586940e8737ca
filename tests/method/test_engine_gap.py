"""The gap of two engines, and whether one is a position off."""

import numpy as np
import pytest

from odd.method.engine_gap import LAGS, engine_gap

ROLLOUTS = [np.random.default_rng(seed).normal(-1, 1, 20) for seed in range(4)]


def test_equal_engines_have_no_gap():
    gap = engine_gap(ROLLOUTS, ROLLOUTS)
    assert gap is not None and (gap.rollouts, gap.tokens, gap.mean, gap.largest, gap.bias) == (4, 80, 0, 0, 0)
    assert gap.lags[LAGS.index(0)] == pytest.approx(1) and not gap.shifted


def test_a_constant_gap_is_its_mean_its_largest_and_its_bias():
    gap = engine_gap(ROLLOUTS, [rollout - 0.5 for rollout in ROLLOUTS])
    assert gap is not None
    assert [gap.mean, gap.largest, gap.bias, *gap.sections] == pytest.approx([0.5] * 7)


def test_a_gap_at_the_end_is_in_the_last_section():
    late = [rollout + np.repeat([0.0, 1.0], [15, 5]) for rollout in ROLLOUTS]
    gap = engine_gap(ROLLOUTS, late)
    assert gap is not None and gap.sections == pytest.approx((0, 0, 0, 1))


@pytest.mark.parametrize("lag", [-1, 1])
def test_values_of_another_position_are_found_out(lag):
    gap = engine_gap(ROLLOUTS, [np.roll(rollout, lag) for rollout in ROLLOUTS])
    assert gap is not None and gap.shifted
    assert gap.lags[LAGS.index(lag)] == pytest.approx(1)


def test_without_tokens_there_is_no_gap():
    assert engine_gap([], []) is None and engine_gap([np.empty(0)], [np.empty(0)]) is None


def test_too_few_positions_have_no_correlation():
    gap = engine_gap([np.array([-1.0, -2.0])], [np.array([-1.0, -2.0])])
    assert gap is not None and np.isnan(gap.lags).all() and not gap.shifted
