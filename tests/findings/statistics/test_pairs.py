"""Means over pairs of questions: the jackknife covers when both questions of a pair are drawn."""

import numpy as np
import pytest

from odd.findings.statistics import pair_mean


def drawn(rng, questions, mean=0.0):
    """Pairs that share their questions: what one teaches, what another learns, and noise."""
    teaches, learns = rng.normal(size=(2, questions))
    return mean + teaches[:, None] + learns + rng.normal(size=(questions, questions))


def off_diagonal(questions):
    return ~np.eye(questions, dtype=bool)


@pytest.mark.parametrize("questions", [4, 12])
@pytest.mark.parametrize("own", [True, False])
def test_intervals_cover_the_mean(questions, own):
    rng = np.random.default_rng(questions)
    counted = np.ones((questions, questions), bool) if own else off_diagonal(questions)
    found = [pair_mean(drawn(rng, questions, 0.5), counted) for _ in range(400)]
    covered = np.mean([one.low <= 0.5 <= one.high for one in found])
    assert 0.92 <= covered <= 0.985


def test_only_the_counted_pairs_enter_the_mean():
    values = np.arange(16.0).reshape(4, 4)
    counted = off_diagonal(4) & np.array([True, False, True, True])
    one = pair_mean(values, counted)
    assert (one.value, one.n, one.clusters) == (values[counted].mean(), counted.sum(), 4)


def test_missing_pairs_do_not_count():
    values = np.arange(16.0).reshape(4, 4)
    values[2] = np.nan
    one = pair_mean(values, np.ones((4, 4), bool))
    assert one.value == np.nanmean(values) and one.n == 12


def test_two_questions_have_no_interval():
    one = pair_mean(np.arange(4.0).reshape(2, 2), np.ones((2, 2), bool))
    assert one.value == 1.5 and np.isnan(one.low) and np.isnan(one.p)


def test_nothing_counted_has_no_value():
    one = pair_mean(np.ones((3, 3)), np.zeros((3, 3), bool))
    assert np.isnan(one.value) and (one.n, one.clusters) == (0, 0)


def test_the_p_value_is_that_of_the_interval():
    rng = np.random.default_rng(1)
    for _ in range(50):
        one = pair_mean(drawn(rng, 8, 0.6), np.ones((8, 8), bool))
        assert (one.p < 0.05) == (one.low > 0 or one.high < 0)
