"""The tree is the set of all prefixes; windows cover a path; representative paths are sampled uniformly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odd.method.tree import build_tree, depth_windows, representative_paths

ROLLOUTS = st.lists(st.lists(st.integers(0, 4), max_size=6), min_size=1, max_size=12)


@given(ROLLOUTS)
def test_nodes_are_exactly_the_prefixes(rollouts):
    tree = build_tree(rollouts)
    prefixes = {tuple(ids[:t]) for ids in rollouts for t in range(len(ids) + 1)}
    found = [tuple(tree.token[tree.path(node)[1:]].tolist()) for node in range(tree.size)]
    assert len(found) == len(prefixes) and set(found) == prefixes
    assert [len(prefix) for prefix in found] == tree.depth.tolist()


@given(ROLLOUTS)
def test_numbering_is_breadth_first_by_parent_and_token(rollouts):
    tree = build_tree(rollouts)
    order = list(zip(tree.depth.tolist(), tree.parent.tolist(), tree.token.tolist(), strict=True))
    assert order == sorted(order)


@given(ROLLOUTS, st.randoms(use_true_random=False))
def test_numbering_does_not_depend_on_the_order_of_rollouts(rollouts, random):
    shuffled = random.sample(rollouts, len(rollouts))
    tree, other = build_tree(rollouts), build_tree(shuffled)
    assert (tree.parent == other.parent).all() and (tree.token == other.token).all()


@given(ROLLOUTS)
def test_rollout_nodes_follow_each_rollout_and_are_padded(rollouts):
    tree = build_tree(rollouts)
    for ids, nodes in zip(rollouts, tree.rollout_nodes, strict=True):
        assert [tree.find(ids[:t]) for t in range(len(ids) + 1)] == nodes[: len(ids) + 1].tolist()
        assert (nodes[len(ids) + 1 :] == -1).all()


@given(ROLLOUTS)
def test_children_of_a_node_are_those_that_name_it_as_parent(rollouts):
    tree = build_tree(rollouts)
    for node in range(tree.size):
        assert list(tree.children(node)) == np.flatnonzero(tree.parent == node).tolist()


@given(ROLLOUTS, st.data())
def test_a_tree_without_lone_nodes_holds_what_is_shared_and_numbers_it_as_the_whole_tree(rollouts, data):
    down_to = np.array([data.draw(st.integers(0, len(ids))) for ids in rollouts])
    tree, whole = build_tree(rollouts, down_to), build_tree(rollouts)
    assert whole.number.tolist() == list(range(whole.size))
    for name in ("token", "depth", "rollouts"):
        assert (getattr(tree, name) == getattr(whole, name)[tree.number]).all()
    assert (tree.number[tree.parent[1:]] == whole.parent[tree.number[1:]]).all()
    shared = (whole.rollouts > 1) | (whole.parent < 0)
    wanted = set(np.flatnonzero(shared | shared[whole.parent]).tolist())
    wanted |= {int(node) for row, depth in zip(whole.rollout_nodes, down_to, strict=True) for node in row[: depth + 1]}
    assert set(tree.number.tolist()) == wanted


@given(ROLLOUTS)
def test_rollouts_of_a_node_are_those_with_its_prefix(rollouts):
    tree = build_tree(rollouts)
    for node in range(tree.size):
        prefix = tree.token[tree.path(node)[1:]].tolist()
        assert tree.rollouts[node] == sum(ids[: len(prefix)] == prefix for ids in rollouts)


def test_an_absent_prefix_is_not_found():
    tree = build_tree([[1, 2], [1, 4]])
    assert tree.find([1, 3]) == tree.find([2]) == tree.find([1, 2, 0]) == tree.find([9]) == -1


def test_without_rollouts_there_is_only_the_root():
    tree = build_tree([])
    assert tree.size == 1 and tree.rollout_nodes.shape == (0, 1)


def test_negative_token_ids_are_rejected():
    with pytest.raises(ValueError, match="negative"):
        build_tree([[1, -1]])


def test_windows_double():
    assert depth_windows(400, 50) == [(0, 50), (50, 150), (150, 350), (350, 400)]


@given(st.integers(0, 3000), st.integers(1, 60))
def test_windows_cover_every_position_once(length, first):
    covered = [t for start, stop in depth_windows(length, first) for t in range(start, stop)]
    assert covered == list(range(length))


def draw(correct, truncated, ids, n_correct, n_incorrect, seed=0):
    arrays = np.array(correct, dtype=bool), np.array(truncated, dtype=bool)
    return representative_paths(*arrays, ids, n_correct, n_incorrect, np.random.default_rng(seed))


def test_representative_paths_have_the_wanted_outcomes_and_truncated_ones_are_wrong():
    chosen = draw([1, 1, 1, 0, 0], [0, 0, 1, 0, 0], [[i] for i in range(5)], 2, 3)
    assert set(chosen[:2]) == {0, 1} and set(chosen[2:]) == {2, 3, 4}


def test_there_are_fewer_paths_if_there_are_fewer_rollouts():
    assert draw([1, 0, 0], [0, 0, 0], [[0], [1], [2]], 2, 1)[0] == 0
    assert len(draw([1, 0, 0], [0, 0, 0], [[0], [1], [2]], 2, 1)) == 2


def test_distinct_token_sequences_come_before_repeated_ones():
    ids = [[1], [1], [1], [1], [2]]
    for seed in range(20):
        assert 4 in draw([1] * 5, [0] * 5, ids, 2, 0, seed)
    assert len(draw([1] * 5, [0] * 5, ids, 4, 0)) == 4


def test_paths_are_drawn_uniformly():
    first = [draw([1] * 4, [0] * 4, [[i] for i in range(4)], 1, 0, seed)[0] for seed in range(800)]
    assert np.abs(np.bincount(first, minlength=4) - 200).max() < 4 * np.sqrt(800 * 0.25 * 0.75)
