"""Along a path: rank correlations, sign changes, and whether a choice of tokens improves it."""

import numpy as np
from scipy.stats import spearmanr

from odd.findings.statistics import grouped_spearman, improved, sign_changes

NAN = float("nan")


def test_each_group_has_the_rank_correlation_of_its_own_nodes():
    rng = np.random.default_rng(0)
    x, y, groups = rng.normal(size=60).round(1), rng.normal(size=60), np.repeat([0, 1, 2], 20)
    expected = [spearmanr(x[groups == g], y[groups == g]).statistic for g in range(3)]
    np.testing.assert_allclose(grouped_spearman(x, y, groups, 5), expected)
    both = grouped_spearman(np.stack([x, -x]), y, groups, 5)
    np.testing.assert_allclose(both, [expected, np.negative(expected)])


def test_a_monotone_path_has_correlation_one_whatever_its_shape():
    depth = np.arange(6.0)
    np.testing.assert_allclose(grouped_spearman(np.exp(depth), depth, np.zeros(6, np.int64), 5), [1.0])


def test_too_few_nodes_or_no_spread_give_no_correlation():
    x, groups = np.array([1.0, 2.0, NAN, 1.0, 1.0]), np.array([0, 0, 0, 1, 1])
    assert np.isnan(grouped_spearman(x, np.arange(5.0), groups, 3)[0])
    assert np.isnan(grouped_spearman(x, np.arange(5.0), groups, 2)[1])


def test_sign_changes_compare_neighbours_of_one_path_and_skip_what_is_undefined():
    values = np.array([0.5, NAN, -0.5, -0.1, 0.9, 0.8])
    changed, first = sign_changes(values, np.array([0, 0, 0, 0, 1, 1]))
    assert changed.tolist() == [1, 0, 0] and first.tolist() == [0, 2, 4]
    shuffled, _ = sign_changes(np.stack([values, -values]), np.array([0, 0, 0, 0, 1, 1]))
    assert shuffled.shape == (2, 3)


def test_a_path_improves_where_what_is_kept_is_above_its_mean():
    signal = np.array([1.0, -1.0, 2.0, 2.0, NAN, 3.0])
    keep = np.array([True, False, True, True, True, False])
    assert improved(signal, keep, np.array([0, 0, 1, 1, 2, 2])).tolist()[:2] == [1.0, 0.0]
    assert np.isnan(improved(signal, keep, np.array([0, 0, 1, 1, 2, 2]))[2])


def test_empty_input_gives_empty_results():
    empty, none = np.empty(0), np.empty(0, np.int64)
    assert len(grouped_spearman(empty, empty, none, 2)) == len(sign_changes(empty, none)[0]) == 0
    assert len(improved(empty, np.empty(0, bool), none)) == 0
