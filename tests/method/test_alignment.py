"""Scores of a node: identities, conventions, and predictions about success."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from odd.config import AnalysisConfig, objective
from odd.method.alignment import (
    ZERO_NORM,
    cosine,
    gain,
    is_decision_point,
    posterior_alignment,
    posterior_gain,
    success_range,
    teacher_advantage,
)
from odd.method.divergences import divergences, mass_on_top_k, top_k_overlap
from odd.method.gradients import ideal_gradient
from odd.method.logspace import coarsen
from odd.method.node_signal import NodeSignal
from odd.method.objectives import Rollouts
from odd.method.objectives.dr_grpo import dr_grpo
from odd.method.success import posterior_draws
from odd.models.tabular import TabularModel

ORACLE = Path(__file__).parents[1] / "oracle"
CASES = json.loads((ORACLE / "cases.json").read_text())["cases"]
OBJECTIVES = AnalysisConfig().objectives
DETERMINISTIC = [objective for objective in OBJECTIVES if objective.name not in ("sampled_reverse_kl", "dr_grpo")]
CONVENTIONS = list(product(("full", "children"), ("off", "bucket")))
V = 10


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def random_node(seed, teachers=3):
    rng = np.random.default_rng(seed)
    visits = rng.integers(1, 60, V)
    log_p, log_q = log_softmax(rng.normal(0, 1.5, V)), log_softmax(rng.normal(0, 1.5, (teachers, V)))
    return signal_of(log_p, log_q, visits, rng.binomial(visits, 0.4)), rng.random(V)


def signal_of(log_p, log_q, visits=None, successes=None):
    rollouts = None if visits is None else Rollouts(np.arange(len(log_p)), visits, successes)
    return NodeSignal.of(log_p, log_q, rollouts, OBJECTIVES)


def whole_gradient(node, asked):
    return asked.gradient(node.row.log_p[None], node.row.log_q, node.rollouts.over(asked, np.arange(V)))


@pytest.mark.parametrize("case", CASES)
def test_scores_equal_the_oracle(case):
    log_p, log_q = (log_softmax(np.array(case[f"{who}_logits"])) for who in ("student", "teacher"))
    support = np.array(case["support"])
    visits, successes = np.array(case["visits"]), np.array(case["successes"])
    expected = case["expected"]
    betas = tuple(objective("jsd", beta=beta) for beta in (0.1, 0.9))
    rollouts = Rollouts(np.arange(len(log_p)), visits, successes)
    node = NodeSignal.of(log_p, log_q[None], rollouts, (*OBJECTIVES, *betas))
    success = successes[support] / visits[support]
    for label, baselines in expected["alignment"].items():
        name, _, beta = label.partition("jsd_")
        asked = objective("jsd", beta=float(beta)) if beta else objective(name)
        for baseline, alignment in baselines.items():
            ideal = ideal_gradient(node.student(support, baseline, "off"), success)
            teacher = node.components(asked, support, baseline, "off")[0]
            for actual, value in ((cosine, alignment), (gain, expected["gain"][label][baseline])):
                value = np.nan if value is None else value
                np.testing.assert_allclose(actual(ideal, teacher), value, rtol=1e-6)


@pytest.mark.parametrize(("objective", "convention"), list(product(DETERMINISTIC, CONVENTIONS)))
def test_the_student_itself_as_teacher_has_undefined_alignment(objective, convention):
    node, success = random_node(0)
    node = signal_of(node.row.log_p, node.row.log_p[None], np.ones(V, int), np.ones(V, int))
    support = np.array([1, 4, 7])
    ideal = ideal_gradient(node.student(support, *convention), success[: 3 + (convention[1] == "bucket")])
    assert np.isnan(cosine(ideal, node.components(objective, support, *convention))).all()
    assert np.isnan(gain(ideal, node.components(objective, support, *convention))).all()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_children_alone_give_exactly_plus_or_minus_one(objective):
    for seed in range(20):
        node, success = random_node(seed)
        support = np.array([2, 5])
        ideal = ideal_gradient(node.student(support, "children", "off"), success[:2])
        value = cosine(ideal, node.components(objective, support, "children", "off"))
        np.testing.assert_allclose(np.abs(value), 1, atol=1e-12)


@pytest.mark.parametrize(("objective", "baseline"), list(product(OBJECTIVES, ("full", "children"))))
def test_with_a_rest_bucket_all_components_sum_to_zero(objective, baseline):
    node, success = random_node(3)
    support = np.array([0, 6, 3])
    np.testing.assert_allclose(node.components(objective, support, baseline, "bucket").sum(-1), 0, atol=1e-12)
    np.testing.assert_allclose(
        ideal_gradient(node.student(support, baseline, "bucket"), success[:4]).sum(), 0, atol=1e-12
    )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_rest_of_the_full_gradient_is_the_sum_outside_the_children(objective):
    node, _ = random_node(4)
    support = np.array([8, 1])
    whole = whole_gradient(node, objective)
    np.testing.assert_allclose(
        node.components(objective, support, "full", "bucket")[:, -1],
        np.delete(whole, support, axis=1).sum(axis=1),
        atol=1e-12,
    )


def test_a_coarsened_node_is_a_node_of_fewer_tokens():
    node, _ = random_node(5)
    support = np.array([8, 1])
    log_p, log_q = coarsen(node.row.log_p, support), coarsen(node.row.log_q, support)
    np.testing.assert_allclose(np.exp(log_p[-1]), np.delete(np.exp(node.row.log_p), support).sum())
    asked = objective("reverse_kl")
    expected = asked.gradient(log_p, log_q)
    np.testing.assert_allclose(node.components(asked, support, "children", "bucket"), expected)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_conventions_agree_when_the_children_are_the_whole_vocabulary(objective):
    node, success = random_node(6)
    support = np.arange(V)
    scores = []
    for baseline, rest in CONVENTIONS:
        p_hat = success if rest == "off" else np.append(success, np.nan)
        ideal = ideal_gradient(node.student(support, baseline, rest), p_hat)
        scores.append(cosine(ideal, node.components(objective, support, baseline, rest)))
    np.testing.assert_allclose(scores, np.broadcast_to(scores[0], (4, 3)), rtol=1e-9)


def test_an_unknown_success_of_the_rest_makes_the_score_undefined():
    node, success = random_node(7)
    support = np.array([1, 2])
    ideal = ideal_gradient(node.student(support, "full", "bucket"), np.append(success[:2], np.nan))
    assert np.isnan(cosine(ideal, node.components(OBJECTIVES[0], support, "full", "bucket"))).all()


def test_a_child_the_teacher_does_not_report_makes_the_score_undefined():
    node, success = random_node(8)
    log_q = np.where(np.arange(V) == 2, -np.inf, node.row.log_q)
    node = signal_of(node.row.log_p, log_q, np.ones(V, int), np.ones(V, int))
    for baseline, rest in CONVENTIONS:
        for support, defined in ((np.array([1, 2]), False), (np.array([1, 3]), True)):
            p_hat = success[: 2 + (rest == "bucket")]
            ideal = ideal_gradient(node.student(support, baseline, rest), p_hat)
            score = cosine(ideal, node.components(OBJECTIVES[0], support, baseline, rest))
            assert np.isfinite(score).all() == defined


def test_dr_grpo_aligns_with_the_ideal_as_visits_grow():
    rng, p, success = np.random.default_rng(0), np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.7, 0.5])
    means = []
    for n in (30, 300, 30_000):
        visits = rng.multinomial(n, p, size=200)
        means.append(cosine(ideal_gradient(p, success), dr_grpo(visits, rng.binomial(visits, success))).mean())
    assert means[0] < means[1] < means[2] and means[2] > 0.999


@pytest.mark.parametrize("objective", DETERMINISTIC)
def test_the_dot_product_predicts_the_change_of_success_after_a_step(objective):
    question = json.loads((ORACLE / "tree.json").read_text())["questions"][1]
    model, rng = TabularModel.from_weights({(): question["weights"]}), np.random.default_rng(1)
    is_correct = {tuple(leaf) for leaf in question["correct_leaves"]}.__contains__
    for node in ((), (2,), (3, 1)):
        p = model.probabilities(node)
        with np.errstate(divide="ignore"):
            log_p, log_q = np.log(p), np.log(rng.dirichlet(np.ones(len(p))))
        success = np.array(
            [model.p_succ((*node, token), is_correct) if p[token] > 0 else np.nan for token in range(len(p))]
        )
        gradient, step = objective.gradient(log_p, log_q), 1e-5
        gradient[p == 0] = 0.0
        change = (
            model.nudged(node, step * gradient).p_succ(node, is_correct)
            - model.nudged(node, -step * gradient).p_succ(node, is_correct)
        ) / (2 * step)
        np.testing.assert_allclose(change, ideal_gradient(p, success) @ gradient, rtol=1e-6, atol=1e-10)


def test_with_the_rest_the_gain_at_some_tokens_is_the_change_of_success_after_a_step_there():
    question = json.loads((ORACLE / "tree.json").read_text())["questions"][1]
    model, rng = TabularModel.from_weights({(): question["weights"]}), np.random.default_rng(2)
    is_correct = {tuple(leaf) for leaf in question["correct_leaves"]}.__contains__
    p = model.probabilities(())
    drawn = np.flatnonzero(p > 0)
    success = np.array([model.p_succ((token,), is_correct) if p[token] > 0 else 0.0 for token in range(len(p))])
    support, step = drawn[:2], 1e-5
    rest = np.asarray(np.average(success[drawn[2:]], weights=p[drawn[2:]]))
    for _ in range(5):
        teacher = rng.normal(size=2)
        direction = np.zeros(len(p))
        direction[support] = teacher / np.linalg.norm(teacher)
        up, down = (model.nudged((), sign * step * direction).p_succ((), is_correct) for sign in (1, -1))
        change = (up - down) / (2 * step)
        np.testing.assert_allclose(gain(ideal_gradient(p[support], success[support], rest), teacher), change, rtol=1e-6)
        assert abs(gain(ideal_gradient(p[support], success[support]), teacher) / change - 1) > 0.01


def test_gain_is_linear_in_success_and_cosine_ignores_scale():
    node, success = random_node(9)
    p, teacher = np.exp(node.row.log_p), whole_gradient(node, OBJECTIVES[0])
    parts = [gain(ideal_gradient(p, x), teacher) for x in (success, success**2, success + success**2)]
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], rtol=1e-9)
    np.testing.assert_allclose(cosine(3 * p, teacher), cosine(p, 5 * teacher))


def test_a_zero_gradient_has_no_cosine_and_a_zero_ideal_has_gain_zero():
    zero, one = np.zeros(2), np.array([1.0, -1.0])
    assert np.isnan(cosine(zero, one)) and np.isnan(cosine(one, zero)) and np.isnan(cosine(one, 1e-8 * one))
    assert np.isnan(gain(one, zero)) and gain(zero, one) == 0


def test_an_improbable_child_keeps_its_cosine_and_its_interval():
    log_p = np.log([1 - 1e-8, 1e-8])
    node, success = signal_of(log_p, np.log([[0.2, 0.8], [0.9, 0.1]])), np.array([0.3, 0.7])
    ideal, support = ideal_gradient(np.exp(log_p), success), np.arange(2)
    assert np.linalg.norm(ideal) < ZERO_NORM
    teacher = node.components(objective("forward_kl"), support, "full", "off")
    np.testing.assert_allclose(cosine(ideal, teacher), [1, 1], rtol=1e-6)
    draws = posterior_draws(np.array([30, 70]), np.array([100, 100]), 200, np.random.default_rng(0))
    result = posterior_alignment(ideal_gradient(np.exp(log_p), draws), teacher)
    np.testing.assert_allclose([result.low, result.p_positive], 1, rtol=1e-6)


@given(arrays(np.float64, 5, elements=st.floats(1e-12, 1)), st.floats(0, 1))
def test_equal_success_has_an_ideal_gradient_of_exactly_zero(p, success):
    ideal = ideal_gradient(p, np.full(5, success))
    assert not ideal.any() and np.isnan(cosine(ideal, np.arange(5.0)))


def test_posterior_intervals_shrink_to_the_score():
    node, success = random_node(10)
    support, visits = np.array([0, 1, 2]), np.full(3, 10**7)
    teacher = node.components(OBJECTIVES[0], support, "full", "off")
    p = node.student(support, "full", "off")
    draws = posterior_draws((success[:3] * visits).astype(int), visits, 400, np.random.default_rng(0))
    result = posterior_alignment(ideal_gradient(p, draws), teacher)
    ideal = ideal_gradient(p, success[:3])
    for low, high, score in (
        (result.low, result.high, cosine(ideal, teacher)),
        (*posterior_gain(ideal_gradient(p, draws), teacher), gain(ideal, teacher)),
    ):
        assert (low <= high).all()
        np.testing.assert_allclose((low + high) / 2, score, atol=2e-3)
    np.testing.assert_array_equal(result.p_positive, cosine(ideal, teacher) > 0)


def test_the_sign_of_two_equal_children_is_not_settled():
    draws = posterior_draws(np.array([10, 10]), np.array([20, 20]), 4000, np.random.default_rng(0))
    teacher = np.array([[0.1, -0.1], [-0.1, 0.1], [0.0, 0.0], [np.nan, 0.1]])
    result = posterior_alignment(ideal_gradient(np.array([0.5, 0.5]), draws), teacher)
    assert abs(result.p_positive[0] - 0.5) < 0.05 and result.p_positive[0] + result.p_positive[1] == 1
    assert (result.low[0], result.high[0]) == pytest.approx((-1, 1))
    assert np.isnan(np.array(result)[:, 2:]).all()


def test_a_batch_of_nodes_equals_each_node_alone_bit_for_bit():
    rng = np.random.default_rng(13)
    ideal_draws, teacher = rng.normal(size=(5, 60, 3)), rng.normal(size=(5, 4, 3))
    ideal_draws[1, :20], ideal_draws[2], teacher[3, 1] = 0, np.nan, np.nan
    together = posterior_alignment(ideal_draws, teacher)
    for node in range(5):
        alone = posterior_alignment(ideal_draws[node], teacher[node])
        np.testing.assert_array_equal([values[node] for values in together], alone)


def test_draws_with_a_zero_ideal_gradient_are_excluded_from_the_alignment():
    rng = np.random.default_rng(14)
    ideal_draws, teacher = rng.normal(size=(60, 3)), rng.normal(size=(4, 3))
    among_zeros = posterior_alignment(np.append(ideal_draws, np.zeros((30, 3)), axis=0), teacher)
    for name in ("low", "high", "p_positive"):
        np.testing.assert_array_equal(
            getattr(among_zeros, name), getattr(posterior_alignment(ideal_draws, teacher), name)
        )


def test_without_any_defined_draw_the_posterior_is_undefined():
    result = posterior_alignment(np.full((50, 3), np.nan), np.ones((2, 3)))
    assert np.isnan(np.array(result)).all()


def test_teacher_advantage_is_the_change_of_mean_success_among_the_children():
    p, q, nothing = np.array([0.25, 0.75]), np.array([0.8, 0.2]), np.zeros(())
    np.testing.assert_allclose(teacher_advantage(p, q, np.array([1.0, 0.0]), nothing), 0.8 - 0.25)
    assert np.isnan(teacher_advantage(p, np.array([1.0, np.nan]), np.array([1.0, 0.0]), nothing))


def test_teacher_advantage_over_all_tokens_has_the_rest_on_both_sides():
    p, q, success, rest = np.array([0.1, 0.3]), np.array([0.4, 0.1]), np.array([1.0, 0.0]), np.array(0.5)
    expected = (0.4 + 0.5 * 0.5) - (0.1 + 0.6 * 0.5)
    np.testing.assert_allclose(teacher_advantage(p, q, success, rest), expected)


@pytest.mark.parametrize("case", CASES)
def test_divergences_equal_the_oracle(case):
    log_p, log_q = (log_softmax(np.array(case[f"{who}_logits"])) for who in ("student", "teacher"))
    for name, value in vars(divergences(log_p, log_q)).items():
        np.testing.assert_allclose(value, case["expected"][name], rtol=1e-6, atol=1e-12)


def test_divergences_exclude_unknown_teacher_tokens():
    node, _ = random_node(11)
    keep = np.arange(V) != 3
    log_p, log_q = node.row.log_p, np.where(keep, node.row.log_q[0], -np.inf)
    cut = divergences(log_p, log_q)
    expected = divergences(log_softmax(log_p[keep]), log_softmax(node.row.log_q[0, keep]))
    for name, value in vars(cut).items():
        if name != "entropy_student":
            np.testing.assert_allclose(value, getattr(expected, name))


def test_one_student_is_compared_with_many_teachers_at_once():
    node, _ = random_node(12)
    row = node.row
    together = vars(divergences(row.log_p, row.log_q))
    for m, log_q in enumerate(row.log_q):
        for name, value in vars(divergences(row.log_p, log_q)).items():
            np.testing.assert_allclose(np.broadcast_to(together[name], 3)[m], value)
        for asked in OBJECTIVES:
            alone = asked.gradient(row.log_p, log_q, node.rollouts.over(asked, np.arange(V)))
            np.testing.assert_allclose(whole_gradient(node, asked)[m], alone)


def test_overlap_and_mass_of_top_sets():
    log_p, log_q = np.log([0.4, 0.3, 0.2, 0.1]), np.log([0.1, 0.5, 0.05, 0.35])
    assert top_k_overlap(log_p, log_q, 2) == 0.5 and top_k_overlap(log_p, log_q, 16) == 1
    np.testing.assert_allclose(mass_on_top_k(log_p, log_q, 2), 0.6)
    np.testing.assert_allclose(mass_on_top_k(log_q, log_p, 2), 0.4)


def test_a_decision_point_needs_two_children_that_differ():
    assert is_decision_point(np.array([0.1, 0.2])) and not is_decision_point(np.array([0.2, 0.2]))
    assert not is_decision_point(np.array([0.2])) and not is_decision_point(np.array([]))
    np.testing.assert_allclose(success_range(np.array([0.1, 0.7, 0.2])), 0.6)
