"""Gradients against the losses that trainers minimise: TRL's own functions, and verl's as documented.

TRL is the installed package (1.16.0). verl is not installed: `docs/algo/opd.md` of verl-project/verl, "GKD OPD", as of
2026-09-09, defines its two losses, which are reimplemented here from the logits.
"""

import warnings
from itertools import product

import numpy as np
import pytest
import torch

from odd.config import objective
from tests.distributions import topk_forward_kl

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # TRL warns that experimental features may change: the version is pinned
    from trl.experimental.gkd import GKDTrainer
    from trl.experimental.server_distillation.server_distillation_trainer import _add_tail_bucket, _jsd_divergence

TEMPERATURES = (0.5, 1.0, 2.5)
KS = (1, 4, 11)


def logits(seed, rows=5, size=12):
    rng = np.random.default_rng(seed)
    return tuple(torch.tensor(rng.normal(0, 2, (rows, size))) for _ in range(2))


def descent(loss, student, teacher):
    """Return minus the derivative of a loss in the student's logits."""
    z = student.clone().requires_grad_(True)
    loss(z, teacher).sum().backward()
    assert z.grad is not None
    return -z.grad.numpy()


def log_softmax(z):
    return torch.log_softmax(z, -1).numpy()


def objective_of(beta, temperature):
    """Return the objective for TRL's beta: 0 and 1 are the KL divergences, values between are its generalised JSD."""
    if beta in (0, 1):
        return objective("reverse_kl" if beta else "forward_kl", temperature=temperature)
    return objective("jsd", beta=beta, temperature=temperature)


@pytest.mark.parametrize(("beta", "temperature"), list(product((0, 0.1, 0.5, 0.9, 1), TEMPERATURES)))
def test_full_distributions_equal_trls_generalized_jsd_loss(beta, temperature):
    student, teacher = logits(int(10 * beta))

    def trl(z, other):
        loss = GKDTrainer.generalized_jsd_loss
        return loss(z[None], other[None], beta=beta, temperature=temperature, reduction="sum")

    actual = objective_of(beta, temperature).gradient(log_softmax(student), log_softmax(teacher))
    np.testing.assert_allclose(actual, descent(trl, student, teacher), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(("k", "tail"), list(product(KS, (True, False))))
def test_teachers_top_k_equals_trls_server_mode(k, tail):
    """Forward KL of `ServerDistillationTrainer`, with and without `loss_add_tail`, from its own functions."""
    student, teacher = logits(k)

    def trl(z, other):
        reported = torch.log_softmax(other, -1).topk(k)
        own = torch.log_softmax(z, -1).gather(-1, reported.indices)
        valid = torch.ones_like(own, dtype=torch.bool)
        if tail:
            (own, mask), (theirs, _) = (_add_tail_bucket(values, valid) for values in (own, reported.values))
        else:
            mask = valid
            own, theirs = (v - v.logsumexp(-1, keepdim=True) for v in (own, reported.values))
        return _jsd_divergence(own, theirs, 0.0, mask)

    ours = topk_forward_kl(
        log_softmax(student), log_softmax(teacher), k, "teacher", "bucket" if tail else "renormalize"
    )
    np.testing.assert_allclose(ours, descent(trl, student, teacher), rtol=1e-6, atol=1e-9)


def verl_topk(z, other, k):
    """Sum nu (log nu - log pi) over the teacher's top k tokens; pi and nu are over the whole vocabulary."""
    log_nu, tokens = torch.log_softmax(other, -1).topk(k)
    log_pi = torch.log_softmax(z, -1).gather(-1, tokens)
    return (log_nu.exp() * (log_nu - log_pi)).sum(-1), log_nu.exp().sum(-1), log_pi.exp().sum(-1)


@pytest.mark.parametrize("k", KS)
def test_teachers_top_k_with_bucket_is_verls_forward_kl_topk_tail(k):
    student, teacher = logits(20 + k)

    def verl(z, other):
        loss, nu, pi = verl_topk(z, other, k)
        return loss + (1 - nu) * torch.log((1 - nu) / (1 - pi))

    ours = topk_forward_kl(log_softmax(student), log_softmax(teacher), k, "teacher", "bucket")
    np.testing.assert_allclose(ours, descent(verl, student, teacher), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("k", KS)
def test_teachers_top_k_without_tail_is_verls_forward_kl_topk(k):
    """ "The existing `forward_kl_topk` mode clamps those negative per-token values to zero"."""
    student, change = logits(30 + k, rows=200)
    teacher = student + 0.3 * change
    raw = verl_topk(student, teacher, k)[0]
    assert ((raw < 0).any() or k == max(KS)) and (raw > 0).any()
    ours = topk_forward_kl(log_softmax(student), log_softmax(teacher), k, "teacher", "drop")
    expected = descent(lambda z, other: verl_topk(z, other, k)[0].clamp_min(0), student, teacher)
    np.testing.assert_allclose(ours, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("k", KS)
def test_verls_losses_need_only_the_teachers_top_k(k):
    student, teacher = logits(40 + k)
    log_p, log_q = log_softmax(student), log_softmax(teacher)
    reported = np.where(log_q >= np.sort(log_q)[:, -k, None], log_q, -np.inf)
    for tail in ("bucket", "drop"):
        whole, part = (topk_forward_kl(log_p, q, k, "teacher", tail) for q in (log_q, reported))
        np.testing.assert_allclose(part, whole, rtol=1e-6, atol=1e-9)
