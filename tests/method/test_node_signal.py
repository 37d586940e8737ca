"""Gradients worked out at the children alone are those over the whole vocabulary, and so is all else that it gives."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odd.config import Objective
from odd.method import vocabulary
from odd.method.divergences import divergences, mass_on_top_k, top_k_overlap
from odd.method.logspace import coarsen, top_k_mask
from odd.method.node_signal import NodeSignal
from odd.method.vocabulary import Vocabulary

EXACT = [
    Objective(name=name, beta=beta, temperature=temperature)
    for name, beta, temperature in product(
        ("reverse_kl", "forward_kl", "jsd", "sampled_reverse_kl", "dr_grpo"), (0.5, 0.2), (1.0, 2.0)
    )
    if name == "jsd" or beta == 0.5
]
TRUNCATED = [
    Objective(name=name, k=k, support=support, tail=tail, temperature=temperature)
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
    monkeypatch.setattr(vocabulary, "SLICE", request.param[0])
    monkeypatch.setattr(vocabulary, "WIDTH", request.param[1])


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def random_node(seed, tokens=301, teachers=3, ties=False):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (1 + teachers, tokens))
    log_p = log_softmax(logits.round() if ties else logits)
    visits = np.where(rng.random(tokens) < 0.1, rng.integers(1, 60, tokens), 0)
    return NodeSignal(log_p[0], log_p[1:], visits, rng.binomial(visits, 0.4)), rng.choice(
        tokens, min(tokens, 5), replace=False
    )


@pytest.mark.parametrize("objective", [*EXACT, *TRUNCATED], ids=lambda one: f"{one.label}-{one.k}")
def test_a_gradient_at_the_children_is_the_whole_gradient_cut_down(slices, objective):
    for seed in range(3):
        node, support = random_node(seed, ties=seed == 2)
        likeliest = np.append(support, node.log_p.argmax())
        np.testing.assert_allclose(
            node.at(objective, likeliest), node.gradient(objective)[:, likeliest], rtol=1e-9, atol=1e-14
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 700), st.sampled_from([*EXACT, *TRUNCATED]))
def test_whatever_the_size_of_the_vocabulary(seed, tokens, objective):
    node, _ = random_node(seed, tokens)
    support = np.array([0, tokens - 1])
    np.testing.assert_allclose(node.at(objective, support), node.gradient(objective)[:, support], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("objective", EXACT, ids=lambda one: one.label)
def test_single_precision_is_as_good_as_its_rounding(slices, objective):
    node, support = random_node(5)
    rounded = NodeSignal(node.log_p.astype(np.float32), node.log_q.astype(np.float32), node.visits, node.successes)
    np.testing.assert_allclose(rounded.at(objective, support), rounded.gradient(objective)[:, support], rtol=1e-9)


@pytest.mark.parametrize("ties", [False, True])
def test_divergences_are_those_of_both_vectors(slices, ties):
    node, _ = random_node(1, ties=ties)
    p, q = node.log_p[None], node.log_q
    top = top_k_overlap(p, q, 16), mass_on_top_k(p, q, 16), mass_on_top_k(q, p, 16)
    expected = [*vars(divergences(p, q)).values(), *top]
    for actual, value in zip(node.divergences(16).values(), expected, strict=True):
        np.testing.assert_allclose(actual, value, rtol=1e-9)


def test_a_tiny_divergence_keeps_its_digits(slices):
    log_p = log_softmax(np.random.default_rng(2).normal(0, 3, 301))
    log_q = log_softmax(log_p + 1e-4 * np.random.default_rng(3).normal(size=(2, 301)))
    found, expected = Vocabulary(log_p, log_q).divergences(), divergences(log_p[None], log_q)
    for name, value in vars(found).items():
        np.testing.assert_allclose(value, getattr(expected, name), rtol=1e-4)
    assert (found.kl_student_teacher < 1e-7).all()


def test_what_lies_outside_is_summed_and_not_subtracted(slices):
    log_p = log_softmax(np.append(42.0, np.random.default_rng(4).normal(size=200)))
    support = np.array([0, 17])
    expected = coarsen(log_p, support)
    assert np.exp(expected[-1]) < 1e-15
    reduced = NodeSignal(log_p, log_p[None]).reduced(support, "bucket")
    np.testing.assert_allclose(reduced.log_p, expected, rtol=1e-12)
    np.testing.assert_allclose(reduced.log_q[0], expected, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 16, 500])
def test_the_top_tokens_are_those_of_the_mask(slices, k):
    for seed in range(3):
        node, _ = random_node(seed, ties=True)
        own, theirs = Vocabulary(node.log_p, node.log_q).top(k)
        for tokens, log_p in ((own, node.log_p), *zip(theirs, node.log_q, strict=True)):
            assert (np.sort(tokens) == np.flatnonzero(top_k_mask(log_p, k))).all()


@pytest.mark.parametrize("whose", ["student", "teacher"])
def test_where_a_probability_is_zero_or_unknown_the_whole_gradient_is_taken(whose):
    node, support = random_node(6)
    rows = {"student": node.log_p.copy(), "teacher": node.log_q.copy()}
    rows[whose][..., 7] = -np.inf
    assert not Vocabulary.serves(rows["student"], rows["teacher"])
    node = NodeSignal(rows["student"], rows["teacher"], node.visits, node.successes)
    for objective in EXACT:
        np.testing.assert_array_equal(node.at(objective, support), node.gradient(objective)[:, support])
    p, q = rows["student"][None], rows["teacher"]
    np.testing.assert_array_equal(node.divergences(16)["js"], divergences(p, q).js)


def test_other_rollouts_change_the_sampled_objectives_and_nothing_else():
    node, support = random_node(7)
    tokens = np.append(support, 11)
    other = node.counting(np.full(6, 10), np.array([1, 2, 3, 4, 5, 6]), {}, tokens)
    dense = NodeSignal(node.log_p, node.log_q, other.visits, other.successes)
    assert other.visits is not None and other.visits.sum() == 60
    for objective in EXACT:
        np.testing.assert_array_equal(other.at(objective, support), dense.at(objective, support))
        same = np.array_equal(other.at(objective, support), node.at(objective, support))
        assert same == (objective.name not in ("sampled_reverse_kl", "dr_grpo"))
