"""Gradients and all other results from sparse rows equal those over the whole vocabulary."""

from itertools import product
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odd.config import objective
from odd.method import sparse_rows
from odd.method.divergences import divergences, mass_on_top_k, top_k_overlap
from odd.method.logspace import coarsen, top_k_mask
from odd.method.node_signal import NodeSignal
from odd.method.objectives import Objective, Rollouts
from odd.method.reward_to_go import RewardToGo
from odd.method.sparse_rows import read_rows

TEMPERATURES = (1.0, 2.0)
EXACT = [
    objective(name, beta=beta, gamma=0.5, temperature=temperature)
    for name, beta, temperature in product(
        ("reverse_kl", "forward_kl", "jsd", "sampled_reverse_kl", "dr_grpo", "minillm"), (0.5, 0.2), TEMPERATURES
    )
    if name == "jsd" or beta == 0.5
]
TRUNCATED = [
    objective(name, k=k, support=support, tail=tail, temperature=temperature)
    for name, k, support, tail, temperature in product(
        ("topk_reverse_kl", "topk_forward_kl"),
        (3, 500),
        ("student", "teacher", "union"),
        ("bucket", "renormalize", "drop"),
        (1.0, 0.5),
    )
]


@pytest.fixture(params=[(64, 8), (8192, 512)], ids=["many slices", "one slice"])
def slices(request, monkeypatch):
    monkeypatch.setattr(sparse_rows, "SLICE", request.param[0])
    monkeypatch.setattr(sparse_rows, "WIDTH", request.param[1])


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


class Node:
    """Full distributions at a node, rollouts through it, and the children considered."""

    def __init__(self, seed, tokens=301, teachers=3, ties=False):
        rng = np.random.default_rng(seed)
        logits = rng.normal(0, 3, (1 + teachers, tokens))
        log_p = log_softmax(logits.round() if ties else logits)
        self.log_p, self.log_q = log_p[0], log_p[1:]
        taken = np.flatnonzero(rng.random(tokens) < 0.1)
        visits = rng.integers(1, 60, len(taken))
        to_go = RewardToGo(rng.random((teachers, len(taken))), rng.normal(size=(teachers, len(taken))))
        rewards = {one: to_go for one in EXACT if "rewards" in one.needs}
        self.rollouts = Rollouts(taken, visits, rng.binomial(visits, 0.4), rewards)
        self.support = np.sort(rng.choice(tokens, min(tokens, 5), replace=False))

    def rows(self, *objectives):
        wanted = np.union1d(self.support, self.rollouts.tokens)
        return read_rows(self.log_p, self.log_q, wanted, objectives)

    def whole(self, one):
        taken = self.rollouts.over(one, np.arange(len(self.log_p)))
        gradient = one.gradient(self.log_p[None], self.log_q, taken)
        return np.broadcast_to(gradient, self.log_q.shape)


@pytest.mark.parametrize("one", [*EXACT, *TRUNCATED], ids=lambda one: one.label)
def test_a_gradient_from_sums_equals_the_restricted_full_gradient(slices, one):
    for seed in range(3):
        node = Node(seed, ties=seed == 2)
        likeliest = np.append(node.support, node.log_p.argmax())
        actual = one.at(node.rows(one), likeliest, node.rollouts)
        np.testing.assert_allclose(actual, node.whole(one)[:, likeliest], rtol=1e-9, atol=1e-13)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 700), st.sampled_from([*EXACT, *TRUNCATED]))
def test_gradients_from_sums_for_any_vocabulary_size(seed, tokens, one):
    node = Node(seed, tokens)
    actual = one.at(node.rows(one), node.support, node.rollouts)
    np.testing.assert_allclose(actual, node.whole(one)[:, node.support], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("one", EXACT, ids=lambda one: one.label)
def test_float32_is_accurate_up_to_rounding(slices, one):
    node = Node(5)
    node.log_p, node.log_q = node.log_p.astype(np.float32), node.log_q.astype(np.float32)
    actual = one.at(node.rows(one), node.support, node.rollouts)
    np.testing.assert_allclose(actual, node.whole(one)[:, node.support], rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_divergences_are_those_of_both_vectors(slices, ties):
    node = Node(1, ties=ties)
    p, q = node.log_p[None], node.log_q
    top = top_k_overlap(p, q, 16), mass_on_top_k(p, q, 16), mass_on_top_k(q, p, 16)
    expected = [*vars(divergences(p, q)).values(), *top]
    for actual, value in zip(NodeSignal(node.rows()).divergences(16).values(), expected, strict=True):
        np.testing.assert_allclose(actual, value, rtol=1e-9)


def test_a_tiny_divergence_keeps_its_digits(slices):
    log_p = log_softmax(np.random.default_rng(2).normal(0, 3, 301))
    log_q = log_softmax(log_p + 1e-4 * np.random.default_rng(3).normal(size=(2, 301)))
    found, expected = read_rows(log_p, log_q)[1.0].divergences(), divergences(log_p[None], log_q)
    for name, value in vars(found).items():
        np.testing.assert_allclose(value, getattr(expected, name), rtol=1e-4)
    assert (found.kl_student_teacher < 1e-7).all()


def test_mass_outside_is_summed_rather_than_subtracted(slices):
    log_p = log_softmax(np.append(42.0, np.random.default_rng(4).normal(size=200)))
    support = np.array([0, 17])
    expected = coarsen(log_p, support)
    assert np.exp(expected[-1]) < 1e-15
    reduced = NodeSignal(read_rows(log_p, log_p[None], support)).reduced(support, "bucket")
    np.testing.assert_allclose(reduced.log_p, expected, rtol=1e-12)
    np.testing.assert_allclose(reduced.log_q[0], expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 16, 500])
def test_the_top_tokens_are_those_of_the_mask(slices, k):
    for seed in range(3):
        node = Node(seed, ties=True)
        own, theirs = read_rows(node.log_p, node.log_q, node.support, top=k)[1.0].top
        for tokens, log_p in ((own, node.log_p), *zip(theirs, node.log_q, strict=True)):
            assert (np.sort(tokens) == np.flatnonzero(top_k_mask(log_p, k))).all()


def test_a_row_keeps_the_requested_and_the_likeliest_tokens():
    node = Node(3, tokens=5000)
    row = node.rows()[1.0]
    assert row.keeps(node.support) and row.keeps(node.rollouts.tokens) and not row.whole
    assert len(row.tokens) <= len(node.support) + len(node.rollouts.tokens) + 4 * 16


def test_a_token_that_the_row_does_not_keep_is_an_error():
    row = read_rows(np.log(np.full(50, 0.02)), np.log(np.full((1, 50), 0.02)), np.array([3]), top=2)[1.0]
    with pytest.raises(ValueError, match="does not keep"):
        row.at(np.array([3, 40]))


@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_the_full_gradient_is_used_if_a_probability_is_zero_or_unknown(whose):
    node = Node(6)
    if whose == "student":
        node.log_p[7] = -np.inf
    else:
        node.log_q[:, 7] = -np.inf
    for one in [*EXACT, *TRUNCATED]:
        rows = node.rows(one)
        assert rows[1.0].whole and rows[1.0].sums is None
        np.testing.assert_array_equal(one.at(rows, node.support, node.rollouts), node.whole(one)[:, node.support])
    p, q = node.log_p[None], node.log_q
    np.testing.assert_array_equal(NodeSignal(node.rows()).divergences(16)["js"], divergences(p, q).js)


@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_a_distribution_narrower_than_float32_can_be_read(whose):
    node = Node(8)
    rows = {"student": node.log_p, "teacher": node.log_q}
    rows[whose][..., 3] = -800.0
    one = objective("reverse_kl")
    np.testing.assert_allclose(one.at(node.rows(one), node.support, None), node.whole(one)[:, node.support], rtol=1e-9)


def test_other_rollouts_change_the_sampled_objectives_and_nothing_else():
    node = Node(7)
    kept = len(node.rollouts.tokens)
    other = Rollouts(node.rollouts.tokens, np.arange(kept) + 1, np.arange(kept) // 2, node.rollouts.to_go)
    for one in EXACT:
        rows = node.rows(one)
        before, after = (one.at(rows, node.rollouts.tokens, rollouts) for rollouts in (node.rollouts, other))
        assert np.array_equal(before, after) == ("visits" not in one.needs)


@pytest.mark.parametrize("one", [*EXACT, *TRUNCATED], ids=lambda one: one.label)
def test_a_gradient_is_minus_the_derivative_of_the_loss(one):
    """By central differences in the logits; training treats rewards and supports as constants."""
    node = Node(11, tokens=12, teachers=1)
    taken = node.rollouts.over(one, np.arange(12))
    if taken.to_go is not None:
        taken = taken._replace(to_go=RewardToGo(taken.to_go.first[0], taken.to_go.later[0]))
    step, change = 1e-6, []
    for token in range(12):
        ends = [log_softmax(node.log_p + sign * step * np.eye(12)[token]) for sign in (1, -1)]
        above, below = (one.loss(end, node.log_q[0], taken, at=node.log_p) for end in ends)
        change.append((above - below) / (2 * step))
    gradient = np.broadcast_to(one.gradient(node.log_p, node.log_q[0], taken), 12)
    np.testing.assert_allclose(gradient, -np.array(change), atol=1e-7)


class HalfKL(Objective):
    """A fake objective without a gradient from sums."""

    name: Literal["half_kl"] = "half_kl"

    def gradient(self, log_p, log_q, taken=None):
        return objective("reverse_kl").gradient(log_p, log_q) / 2


@pytest.fixture
def half_kl():
    yield HalfKL()
    Objective.registry.pop("half_kl", None)


def test_an_objective_without_a_gradient_from_sums_makes_rows_keep_the_whole_vocabulary(half_kl):
    node = Node(9)
    rows = node.rows(half_kl)
    assert rows[1.0].whole
    np.testing.assert_array_equal(half_kl.at(rows, node.support, None), node.whole(half_kl)[:, node.support])
