"""Divergences between teacher and student at a node, over the whole vocabulary, regardless of success (method §4).

Dimension letters as in `odd.method.logspace`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from odd.method.logspace import condition, dot, top_k_mask


@dataclass(frozen=True)
class Divergences:
    """Divergences between teacher and student at a node, over the whole vocabulary; KL, JS and entropies in nats."""

    kl_student_teacher: Float64[np.ndarray, "*#B"]
    kl_teacher_student: Float64[np.ndarray, "*#B"]
    js: Float64[np.ndarray, "*#B"]
    l2: Float64[np.ndarray, "*#B"]
    probability_cosine: Float64[np.ndarray, "*#B"]
    entropy_student: Float64[np.ndarray, "*#B"]
    entropy_teacher: Float64[np.ndarray, "*#B"]


def divergences(log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"]) -> Divergences:
    """Compute both KL divergences, Jensen-Shannon, L2 and cosine of the probability vectors, and both entropies.

    Where teacher tokens are unknown (-inf), everything except the student's entropy is computed on both distributions
    conditioned on the known tokens. KL(teacher || student) is infinite where only the student has a 0.
    """
    log_p, log_q = log_p.astype(np.float64, copy=False), log_q.astype(np.float64, copy=False)
    entropy_student = -_expectation(np.exp(log_p), log_p)
    known = log_q > -np.inf
    if not known.all():
        log_p, log_q = condition(log_p, known), condition(log_q, known)
    p, q = np.exp(log_p), np.exp(log_q)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_m = np.log(p + q) - np.log(2.0)
        js = (_expectation(p, log_p - log_m) + _expectation(q, log_q - log_m)) / 2
        kl_student_teacher = _expectation(p, log_p - log_q)
        kl_teacher_student = _expectation(q, log_q - log_p)
    norms = np.linalg.norm(p, axis=-1) * np.linalg.norm(q, axis=-1)
    values = {
        "kl_student_teacher": kl_student_teacher,
        "kl_teacher_student": kl_teacher_student,
        "js": js,
        "l2": np.linalg.norm(p - q, axis=-1),
        "probability_cosine": (p * q).sum(axis=-1) / norms,
        "entropy_student": entropy_student,
        "entropy_teacher": -_expectation(q, log_q),
    }
    return Divergences(**{name: np.asarray(value) for name, value in values.items()})


def _expectation(
    weight: Float64[np.ndarray, "*#B V"], value: Float64[np.ndarray, "*#B V"]
) -> Float64[np.ndarray, "*#B"]:
    """Sum weight * value; a term with weight 0 is 0 whatever its value."""
    with np.errstate(invalid="ignore"):
        total = np.asarray(dot(weight, value))
        if np.isnan(total).any():  # possibly from 0 times infinity
            total = np.asarray(np.where(weight > 0, weight * value, 0.0).sum(axis=-1))
    return total


def top_k_overlap(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], k: int = 16
) -> Float64[np.ndarray, "*#B"]:
    """Return the share of the k most probable tokens that student and teacher have in common, |intersection| / k.

    If V < k, k = V is used; unknown teacher tokens are in no top set.
    """
    shared = top_k_mask(log_p, k) & top_k_mask(log_q, k) & (log_q > -np.inf)
    return np.asarray(shared.sum(axis=-1) / min(k, log_p.shape[-1]))


def mass_on_top_k(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], k: int = 16
) -> Float64[np.ndarray, "*#B"]:
    """Return the mass that `log_q` puts on the k most probable tokens of `log_p`; swap the two for the reverse."""
    return _expectation(top_k_mask(log_p, k).astype(np.float64), np.exp(log_q, dtype=np.float64))
