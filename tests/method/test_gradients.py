"""Gradients, against automatic differentiation of the losses, and the identities of method §3."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from odd.config import objective
from odd.method.gradients import ideal_gradient
from odd.method.logspace import soften
from odd.method.objectives.dr_grpo import dr_grpo
from odd.method.objectives.forward_kl import forward_kl
from odd.method.objectives.jsd import jsd
from odd.method.objectives.reverse_kl import reverse_kl
from odd.method.objectives.sampled_reverse_kl import sampled_reverse_kl
from tests.distributions import gradient_of, topk_forward_kl, topk_reverse_kl

TEMPERATURES = (0.5, 1.0, 2.5)


def random_logits(seed: int, size: int = 9, rows: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (rows, size)), rng.normal(0, 2, (rows, size))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return torch.log_softmax(torch.tensor(logits), -1).numpy()


def random_log_probs(seed: int, size: int = 9, rows: int = 3) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = random_logits(seed, size, rows)
    return log_softmax(student), log_softmax(teacher)


def ascent(loss, student: np.ndarray, teacher: np.ndarray, temperature: float) -> np.ndarray:
    """Return minus the derivative in the student's logits of a loss of the two softened log-probabilities."""
    z = torch.tensor(student, requires_grad=True)
    log_p = torch.log_softmax(z / temperature, -1)
    log_q = torch.log_softmax(torch.tensor(teacher) / temperature, -1)
    loss(log_p, log_q).sum().backward()
    assert z.grad is not None
    return -z.grad.numpy()


def kl(log_a, log_b):
    return (log_a.exp() * (log_a - log_b)).sum(-1)


def topk_losses(log_p, log_q, k, support, tail):
    """Compute both truncated losses of every row, with index lists."""
    reverse, forward = [], []
    for a, b in zip(log_p, log_q, strict=True):
        tops = {"student": [a], "teacher": [b], "union": [a, b]}[support]
        keep = sorted({int(i) for x in tops for i in x.detach().topk(k).indices})
        cut = [i for i in range(len(a)) if i not in keep]
        if tail == "drop":
            reverse.append((a[keep].exp() * (a[keep] - b[keep])).sum().clamp_min(0))
            forward.append((b[keep].exp() * (b[keep] - a[keep])).sum().clamp_min(0))
            continue
        if tail == "bucket" and cut:
            a, b = (torch.cat([x[keep], torch.logsumexp(x[cut], 0)[None]]) for x in (a, b))
        else:
            a, b = (torch.log_softmax(x[keep], -1) for x in (a, b))
        reverse.append(kl(a, b))
        forward.append(kl(b, a))
    return torch.stack(reverse), torch.stack(forward)


@pytest.mark.parametrize(("temperature", "seed"), list(product(TEMPERATURES, range(3))))
def test_kl_gradients_equal_autograd(temperature, seed):
    student, teacher = random_logits(seed)
    log_p, log_q = log_softmax(student), log_softmax(teacher)
    expected = ascent(lambda p, q: kl(p, q), student, teacher, temperature)
    np.testing.assert_allclose(reverse_kl(log_p, log_q, temperature), expected, rtol=1e-9, atol=1e-12)
    expected = ascent(lambda p, q: kl(q, p), student, teacher, temperature)
    np.testing.assert_allclose(forward_kl(log_p, log_q, temperature), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("beta", "temperature"), list(product((0.1, 0.5, 0.9), TEMPERATURES)))
def test_jsd_gradient_equals_autograd(beta, temperature):
    def loss(log_p, log_q):
        log_m = torch.log(beta * log_q.exp() + (1 - beta) * log_p.exp())
        return beta * kl(log_q, log_m) + (1 - beta) * kl(log_p, log_m)

    student, teacher = random_logits(7)
    actual = jsd(log_softmax(student), log_softmax(teacher), beta, temperature)
    np.testing.assert_allclose(actual, ascent(loss, student, teacher, temperature), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("k", "support", "tail", "temperature"),
    list(product((1, 3, 8), ("student", "teacher", "union"), ("bucket", "renormalize", "drop"), TEMPERATURES)),
)
def test_topk_gradients_equal_autograd(k, support, tail, temperature):
    student, teacher = random_logits(k)
    log_p, log_q = log_softmax(student), log_softmax(teacher)
    for i, gradient in enumerate((topk_reverse_kl, topk_forward_kl)):
        expected = ascent(lambda p, q, i=i: topk_losses(p, q, k, support, tail)[i], student, teacher, temperature)
        actual = gradient(log_p, log_q, k, support, tail, temperature)
        np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_sampled_reverse_kl_equals_autograd_of_its_surrogate(temperature):
    student, teacher = random_logits(5, rows=1)
    visits = np.array([[3, 0, 1, 7, 0, 2, 0, 0, 11]])
    chosen = np.repeat(np.arange(9), visits[0])

    def loss(log_p, log_q):
        reward = (log_q - log_p).detach()[0, chosen] - 1
        return -(reward * log_p[0, chosen]).mean()

    actual = sampled_reverse_kl(log_softmax(student), log_softmax(teacher), visits, temperature)
    np.testing.assert_allclose(actual, ascent(loss, student, teacher, temperature), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_dr_grpo_equals_autograd_of_its_surrogate(temperature):
    student, teacher = random_logits(6, rows=1)
    visits, successes = np.array([[3, 0, 1, 7, 0, 2, 0, 0, 11]]), np.array([[2, 0, 0, 5, 0, 0, 0, 0, 3]])
    chosen = np.repeat(np.arange(9), visits[0])
    reward = np.concatenate([np.arange(n) < s for n, s in zip(visits[0], successes[0], strict=True)]).astype(float)
    advantage = torch.tensor((reward - reward.mean()) / reward.std())
    expected = ascent(lambda p, _: -(advantage * p[0, chosen]).mean(), student, teacher, temperature)
    np.testing.assert_allclose(dr_grpo(visits, successes, temperature), expected, rtol=1e-9, atol=1e-12)


def test_ideal_gradient_equals_autograd_of_success_over_the_children():
    z = torch.tensor([0.3, -1.0, 0.8, 0.1], dtype=torch.float64, requires_grad=True)
    success = torch.tensor([0.2, 0.9, 0.5, 0.4], dtype=torch.float64)
    p = torch.softmax(z, -1)
    (p * success).sum().backward()
    assert z.grad is not None
    np.testing.assert_allclose(ideal_gradient(p.detach().numpy(), success.numpy()), z.grad.numpy(), rtol=1e-12)


def test_the_ideal_gradient_is_relative_to_the_mean_over_the_children():
    half = ideal_gradient(np.array([0.1, 0.3]), np.array([1.0, 0.0]))
    np.testing.assert_allclose(half, [0.1 * 0.75, -0.3 * 0.25])


def test_a_child_without_mass_may_have_unknown_success_but_no_other_child():
    p, success = np.array([0.4, 0.6, 0.0]), np.array([0.5, 0.25, np.nan])
    assert ideal_gradient(p, success)[2] == 0 and np.isfinite(ideal_gradient(p, success)).all()
    assert np.isnan(ideal_gradient(np.array([0.4, 0.3, 0.3]), success)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.3, 3))
def test_every_gradient_sums_to_zero(seed, temperature):
    log_p, log_q = random_log_probs(seed)
    visits = np.random.default_rng(seed).integers(1, 50, log_p.shape)
    for name in ("reverse_kl", "forward_kl", "jsd", "sampled_reverse_kl", "dr_grpo"):
        gradient = gradient_of(objective(name, temperature=temperature), log_p, log_q, visits, visits // 2)
        np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-12)
    for name, support, tail in product(
        ("topk_reverse_kl", "topk_forward_kl"), ("student", "teacher", "union"), ("bucket", "renormalize", "drop")
    ):
        asked = objective(name, k=3, support=support, tail=tail, temperature=temperature)
        np.testing.assert_allclose(asked.gradient(log_p, log_q).sum(-1), 0, atol=1e-12)


def test_jsd_tends_to_forward_kl_at_zero_and_to_reverse_kl_at_one():
    log_p, log_q = random_log_probs(1)
    for beta, limit in ((1e-7, forward_kl), (1 - 1e-7, reverse_kl)):
        scaled = jsd(log_p, log_q, beta) / (beta * (1 - beta))
        np.testing.assert_allclose(scaled, limit(log_p, log_q), atol=1e-4)


def test_the_student_itself_as_teacher_gives_no_gradient():
    log_p, _ = random_log_probs(2)
    for gradient in (reverse_kl, forward_kl, jsd, topk_reverse_kl, topk_forward_kl):
        np.testing.assert_allclose(gradient(log_p, log_p), 0, atol=1e-15)


def test_sampled_reverse_kl_has_reverse_kl_as_expectation():
    log_p, log_q = random_log_probs(3)
    one_each = np.eye(9)[:, None, :]
    by_token = sampled_reverse_kl(log_p[None], log_q[None], one_each)
    expectation = np.einsum("nv,vnj->nj", np.exp(log_p), by_token)
    np.testing.assert_allclose(expectation, reverse_kl(log_p, log_q), atol=1e-12)


def test_topk_with_k_of_the_whole_vocabulary_is_the_full_objective():
    log_p, log_q = random_log_probs(4)
    for tail in ("bucket", "renormalize", "drop"):
        np.testing.assert_allclose(topk_reverse_kl(log_p, log_q, 9, "student", tail), reverse_kl(log_p, log_q))
        np.testing.assert_allclose(topk_forward_kl(log_p, log_q, 50, "union", tail), forward_kl(log_p, log_q))


def test_renormalized_topk_ignores_the_tail_and_the_bucket_moves_it_in_proportion():
    log_p, log_q = random_log_probs(8, rows=1)
    tail = np.argsort(-log_p[0])[3:]
    assert (topk_reverse_kl(log_p, log_q, 3, tail="renormalize")[0, tail] == 0).all()
    moved = topk_reverse_kl(log_p, log_q, 3, tail="bucket")[0, tail]
    np.testing.assert_allclose(moved / np.exp(log_p[0, tail]), moved[0] / np.exp(log_p[0, tail[0]]))


def test_no_gradient_flows_into_tokens_the_student_cannot_draw():
    log_p, log_q = random_log_probs(9, rows=1)
    log_p = np.where(np.arange(9) == 4, -np.inf, log_p)
    for gradient in (reverse_kl, jsd, topk_reverse_kl):
        actual = gradient(log_p, log_q)
        assert actual[0, 4] == 0 and np.isfinite(actual).all()


def test_underflowing_probabilities_stay_finite():
    log_p, log_q = random_log_probs(10)
    log_p[:, 2], log_q[:, 2] = -1e4, -1e4
    for gradient in (reverse_kl, forward_kl, jsd, topk_reverse_kl, topk_forward_kl):
        assert np.isfinite(gradient(log_p, log_q)).all()


def test_a_teacher_probability_of_zero_is_unknown_and_the_others_are_compared_without_it():
    student, teacher = random_logits(11, rows=1)
    keep = np.arange(9) != 4
    log_p, log_q = log_softmax(student), np.where(keep, log_softmax(teacher), -np.inf)
    for gradient, temperature in product((reverse_kl, forward_kl, jsd), (1.0, 2.0)):
        actual = gradient(log_p, log_q, temperature=temperature)
        reduced = gradient(log_softmax(student[:, keep]), log_softmax(teacher[:, keep]), temperature=temperature)
        assert np.isnan(actual[0, 4])
        np.testing.assert_allclose(actual[:, keep], reduced, rtol=1e-9)


@pytest.mark.parametrize("gradient", (topk_reverse_kl, topk_forward_kl))
def test_the_bucket_is_exact_with_a_teacher_that_reports_its_top_k_only(gradient):
    log_p, log_q = random_log_probs(12)
    reported = np.where(log_q >= np.sort(log_q)[:, -3, None], log_q, -np.inf)
    np.testing.assert_allclose(gradient(log_p, reported, 3, "teacher"), gradient(log_p, log_q, 3, "teacher"), rtol=1e-6)


def test_dr_grpo_is_zero_without_contrast_and_undefined_without_visits():
    assert (dr_grpo(np.array([3, 2]), np.array([3, 2])) == 0).all()
    assert np.isnan(dr_grpo(np.array([0, 0]), np.array([0, 0]))).all()


def test_a_sampled_objective_without_visits_is_rejected():
    log_p, log_q = random_log_probs(0)
    with pytest.raises(ValueError, match="sampled_reverse_kl needs the visits"):
        objective("sampled_reverse_kl").gradient(log_p, log_q)


def test_softening_is_softmax_of_the_scaled_logits():
    student, _ = random_logits(13)
    np.testing.assert_allclose(soften(log_softmax(student), 2.0), log_softmax(student / 2.0), rtol=1e-9)
