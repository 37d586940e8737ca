"""How often intervals over few questions hold the truth, and how often a p-value is small without an effect."""

import numpy as np
import pytest

from odd.findings.statistics import cluster_difference, cluster_estimate

RUNS = 400
MOST = 30


def points(rng, questions):
    """Question of each score, with unequal numbers of scores per question, and the level of each question."""
    clusters = np.repeat(np.arange(questions), rng.integers(4, MOST, questions))
    return clusters, rng.normal(0, 0.3, questions)[clusters]


def normal(rng, questions):
    """Plain means."""
    clusters, level = points(rng, questions)
    return cluster_estimate(level + rng.normal(size=len(clusters)), clusters)


def cosines(rng, questions):
    """Cosines of mostly 1 and -1, weighted by success ranges."""
    clusters, level = points(rng, questions)
    signs = np.where(rng.random(len(clusters)) < 0.5 + level, 1.0, -1.0)
    return cluster_estimate(signs, clusters, rng.beta(1, 4, len(clusters)))


def lopsided(rng, questions):
    """Questions with very different amounts at stake."""
    clusters, level = points(rng, questions)
    stake = np.exp(rng.normal(size=questions))[clusters]
    return cluster_estimate(level + rng.normal(size=len(clusters)), clusters, stake)


def differences(rng, questions):
    """Incorrect minus correct paths."""
    clusters, level = points(rng, questions)
    group = np.arange(len(clusters)) % 2 == 0
    return cluster_difference(level + rng.normal(size=len(clusters)), clusters, group)


@pytest.mark.parametrize("questions", [3, 5, 8, 20])
@pytest.mark.parametrize("kind", [normal, cosines, lopsided, differences], ids=lambda one: one.__name__)
def test_intervals_cover_and_tests_err_as_often_as_they_say(kind, questions):
    rng = np.random.default_rng([1, questions])
    found = [kind(rng, questions) for _ in range(RUNS)]
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    wrong = np.mean([one.p < 0.05 for one in found])
    error = np.sqrt(0.05 * 0.95 / RUNS)
    assert 0.93 - 2 * error < covered < 0.97 + 2 * error
    assert wrong < 0.05 + 3 * error
