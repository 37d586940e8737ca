"""The best teacher at each node."""

import numpy as np

from odd.findings.statistics import mixed, winners

NAN = float("nan")


def test_the_best_takes_all_and_ties_are_split():
    assert winners(np.array([[0.1, 0.9, 0.5], [1.0, 1.0 - 1e-9, -1.0]])).tolist() == [[0, 1, 0], [0.5, 0.5, 0]]


def test_a_node_without_a_score_of_every_teacher_has_no_winner():
    assert np.isnan(winners(np.array([[0.5, NAN]]))).all()


def test_a_mix_yields_what_the_chosen_ones_yield():
    shares = np.array([[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(mixed(shares, np.array([[0.2, 0.9], [0.2, 0.4]])), [0.2, 0.3])
