"""The smallest visible effect, and how many more questions an estimate needs."""

import numpy as np
import pytest

from odd.findings.statistics import cluster_estimate, questions_missing, smallest_effect


def test_an_effect_of_the_smallest_visible_size_is_found_with_the_asked_power():
    rng, questions, runs = np.random.default_rng(0), 25, 600
    visible = smallest_effect(cluster_estimate(rng.normal(size=4000), np.arange(4000)), 0.8) * np.sqrt(4000 / questions)
    found = [cluster_estimate(rng.normal(visible, 1, questions), np.arange(questions)) for _ in range(runs)]
    assert np.mean([one.low > 0 for one in found]) == pytest.approx(0.8, abs=0.07)


def test_four_times_the_questions_are_needed_for_half_the_effect():
    values = np.random.default_rng(1).normal(size=400)
    one = cluster_estimate(values - values.mean() + 0.1, np.arange(400))
    other = cluster_estimate(values - values.mean() + 0.05, np.arange(400))
    assert (questions_missing(other, 0.8) + 400) / (questions_missing(one, 0.8) + 400) == pytest.approx(4, rel=0.01)


def test_an_estimate_with_enough_questions_needs_no_more():
    values = np.random.default_rng(2).normal(3, 1, 10)
    assert questions_missing(cluster_estimate(values, np.arange(10)), 0.8) == 0
