"""Tests and the correction for multiple tests, against values computed by hand or by SciPy."""

import numpy as np
import pytest

from odd.findings.statistics import holm, welch_p, wilcoxon_p

NAN = float("nan")


def test_holm_scales_the_smallest_most_and_never_falls():
    # sorted 0.01, 0.02, 0.03, 0.2: times 4, 3, 2, 1, then the running maximum
    assert holm([0.03, 0.2, 0.01, 0.02]) == pytest.approx([0.06, 0.2, 0.04, 0.06])


def test_holm_stops_at_one_and_leaves_unknown_ones_out_of_the_family():
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    corrected = holm([0.02, NAN, 0.5])
    assert corrected[0] == pytest.approx(0.04) and np.isnan(corrected[1]) and corrected[2] == 0.5
    assert holm([]) == []


def test_the_signed_rank_test_of_one_sign_is_exact():
    # all 8 differences positive: 2 of the 2^8 sign patterns are as extreme
    assert wilcoxon_p(np.arange(1.0, 9.0)) == pytest.approx(2 / 256)


def test_the_signed_rank_test_knows_no_difference_from_nothing():
    assert np.isnan(wilcoxon_p([])) and np.isnan(wilcoxon_p([0.0, NAN]))
    assert wilcoxon_p([1.0, -1.0]) == 1.0


def test_welch_needs_two_values_per_side_and_a_spread():
    assert np.isnan(welch_p(np.array([1.0]), np.array([1.0, 2.0])))
    assert np.isnan(welch_p(np.ones(3), np.ones(4)))
    assert welch_p(np.array([0.0, 0.1, NAN]), np.array([5.0, 5.1])) < 0.01
