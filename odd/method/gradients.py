"""Gradients at one node: the ideal one and those of distillation objectives, as ascent directions in logits.

Equation numbers are those of Armandpour et al., arXiv 2605.10889. Every gradient here has the shape
g_j = P_j (f_j - mean f) and points the way training moves the student's logits, so a positive cosine with
the ideal gradient always means that the teacher helps.

Conventions shared by all functions:

* `log_p` (student) and `log_q` (teacher) are log-probabilities over the whole vocabulary; leading dimensions
  broadcast, e.g. one student against M teachers;
* `temperature` softens both distributions inside the loss; the gradient is in the un-softened logits, hence the
  factor 1 / temperature;
* P_theta = 0: the token's terms vanish (0 log 0 = 0);
* P_te = 0 is unknown, not impossible: both distributions are conditioned on the tokens the teacher reports, and the
  component of an unknown token is NaN, unless P_theta is 0 there;
* sums over the vocabulary are in float64.

Dimension letters as in `odd.method.logspace`.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64, Real

from odd.method.logspace import (
    fill_with_mean,
    known_both,
    log_ratio,
    soften_both,
    top_k_support,
    truncate,
    weighted_deviation,
)
from odd.method.objectives import Objective, Support, Tail
from odd.method.reward_to_go import RewardToGo


def ideal_gradient(p: Float[np.ndarray, "*#B K"], success: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B K"]:
    """Ideal gradient over the children S_u: P_theta^j (P̂^j - P̄), P̄ the P_theta-weighted mean of P̂ (eq. 2.2-2.3).

    A child with P_theta = 0 has component 0 whatever its success, even an unknown one; the unknown (NaN) success
    of any other child makes every component NaN.

    Args:
        p: student probabilities of the children; they need not sum to 1.
        success: P̂ of each child, e.g. one row per posterior draw.
    """
    p = p.astype(np.float64, copy=False)
    mass = p.sum(axis=-1, keepdims=True)
    likeliest = p == p.max(axis=-1, keepdims=True, initial=0.0)
    reference = np.where(likeliest, success, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        # the gradient ignores a common shift of P̂; against the likeliest child's, equal children are 0 to the last bit
        shifted = success - reference
        mean = np.where(p > 0, p * shifted, 0.0).sum(axis=-1, keepdims=True) / mass
        return np.where(p > 0, p * (shifted - mean), 0.0)


def reverse_kl(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], temperature: float = 1.0
) -> Float64[np.ndarray, "*#B V"]:
    """Ascent direction of -KL(student || teacher): -P_j (l_j - mean l), l = log P_theta - log P_te (eq. 2.6-2.8).

    The paper calls this *forward* KL ("GKD"); the field, and TRL as beta = 1, call it reverse.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    return _finish(weighted_deviation(log_p, -log_ratio(log_p, log_q)), unknown, temperature)


def forward_kl(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], temperature: float = 1.0
) -> Float64[np.ndarray, "*#B V"]:
    """Ascent direction of -KL(teacher || student): P_te^j - P_theta^j. TRL's beta = 0."""
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    return _finish(np.exp(log_q) - np.exp(log_p), unknown, temperature)


def jsd(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], beta: float = 0.5, temperature: float = 1.0
) -> Float64[np.ndarray, "*#B V"]:
    """Ascent direction of minus TRL's generalised Jensen-Shannon divergence.

    The loss is beta KL(teacher || M) + (1 - beta) KL(student || M) with M = beta P_te + (1 - beta) P_theta, so
    f = -(1 - beta) log(P_theta / M).

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities.
        beta: 0 < beta < 1; the gradient vanishes at both ends, after division by beta (1 - beta) it tends to
            `forward_kl` at 0 and to `reverse_kl` at 1.
        temperature: of the loss.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    p = np.exp(log_p)
    mixture = beta * np.exp(log_q) + (1 - beta) * p
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.where(p > 0, (1 - beta) * (np.log(mixture) - log_p), 0.0)
    return _finish(weighted_deviation(log_p, f), unknown, temperature)


def sampled_reverse_kl(
    log_p: Float[np.ndarray, "*#B V"],
    log_q: Float[np.ndarray, "*#B V"],
    visits: Real[np.ndarray, "*#B V"],
    temperature: float = 1.0,
) -> Float64[np.ndarray, "*#B V"]:
    """Single-sample estimator of the reverse KL, averaged over the rollouts that visit the node (eq. 2.9).

    Mean over visiting rollouts of (log P_te^r - log P_theta^r - 1)(delta_rj - P_theta^j), r the token taken. The -1
    cancels only in expectation, which is `reverse_kl`. Visits of unknown tokens are left out.

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities.
        visits: how often each token was *drawn from the student* here; forced tokens do not count.
        temperature: of the loss.

    Returns:
        The gradient; NaN where there is no visit.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    counted = np.where(log_p > -np.inf, visits, 0)
    with np.errstate(invalid="ignore"):
        share = counted / counted.sum(axis=-1, keepdims=True)
        reward = -share * (log_ratio(log_p, log_q) + 1)
        gradient = reward - np.exp(log_p) * reward.sum(axis=-1, keepdims=True)
    return _finish(gradient, unknown, temperature)


def dr_grpo(
    visits: Real[np.ndarray, "*B V"], successes: Real[np.ndarray, "*B V"], temperature: float = 1.0
) -> Float64[np.ndarray, "*B V"]:
    """Dr. GRPO's gradient at the node (eq. 2.4): mean over visiting rollouts of A_i (delta_rj - P_theta^j).

    A_i = (R_i - mean R) / std(R) with the population standard deviation, so the A_i sum to 0, the P_theta terms
    cancel, and what remains is (N_j / N)(P̂_j - mean R) / std(R). No teacher is involved: a sanity row, whose
    cosine with the ideal gradient tends to 1 as visits grow.

    Args:
        visits: how often each token was drawn from the student here.
        successes: how many of these rollouts ended correct.
        temperature: of the student inside the loss.

    Returns:
        The gradient; 0 where all rollouts have the same outcome, NaN where there is no visit.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        total = visits.sum(axis=-1, keepdims=True)
        mean = successes.sum(axis=-1, keepdims=True) / total
        std = np.sqrt(mean * (1 - mean))
        gradient = (successes - visits * mean) / (total * std * temperature)
    return np.where(std == 0, 0.0, gradient)


def minillm(
    log_p: Float[np.ndarray, "*#B V"],
    log_q: Float[np.ndarray, "*#B V"],
    first: Float[np.ndarray, "*#B V"],
    later: Float[np.ndarray, "*#B V"],
    temperature: float = 1.0,
) -> Float64[np.ndarray, "*#B V"]:
    """MiniLLM's policy gradient, whose reward is the whole rest of the response (eq. 2.10, method §3).

    P_theta^j (f_j - mean f), f_k the mean reward-to-go of the rollouts through u -> k, split as in MiniLLM
    (arXiv 2306.08543, eq. 4) into the single step, which is known exactly, and what followed:
    f_k = first_k (log P_te^k - log P_theta^k) + later_k. The sign printed in eq. 2.10 is opposite to that of eq. 2.9;
    this is the ascent direction. gamma = 0 makes it `reverse_kl`.

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities.
        first: by token, mean weight of the single step, of `odd.method.reward_to_go.split_rewards`; NaN where no
            rollout took the token: what would have followed is unknown, and the P_theta-weighted mean of the others
            stands for it.
        later: by token, mean of what followed; NaN in the same places.
        temperature: of the loss; `later` is to be of distributions softened alike.

    Returns:
        The gradient; NaN where no rollout took any token.
    """
    log_p, log_q, unknown = known_both(log_p, log_q, temperature)
    reward = fill_with_mean(log_p, first) * -log_ratio(log_p, log_q) + fill_with_mean(log_p, later)
    return _finish(weighted_deviation(log_p, reward), unknown, temperature)


def topk_reverse_kl(
    log_p: Float[np.ndarray, "*#B V"],
    log_q: Float[np.ndarray, "*#B V"],
    k: int = 16,
    support: Support = "student",
    tail: Tail = "bucket",
    temperature: float = 1.0,
) -> Float64[np.ndarray, "*#B V"]:
    """`reverse_kl` on the k most probable tokens; `odd.method.objectives.Tail` says what becomes of the others."""
    log_p, log_q = soften_both(log_p, log_q, temperature)
    return truncated_reverse_kl(log_p, log_q, top_k_support(log_p, log_q, k, support), tail) / temperature


def truncated_reverse_kl(
    log_p: Float64[np.ndarray, "*#B V"],
    log_q: Float64[np.ndarray, "*#B V"],
    chosen: Bool[np.ndarray, "*#B V"],
    tail: Tail,
) -> Float64[np.ndarray, "*#B V"]:
    """`topk_reverse_kl` of softened distributions, on any chosen tokens."""
    if tail != "drop":
        return reverse_kl(*truncate(log_p, log_q, chosen, tail))
    ratio = np.where(chosen, log_ratio(log_p, log_q), 0.0)
    loss = (np.exp(log_p) * ratio).sum(axis=-1, keepdims=True)
    return np.where(loss < 0, 0.0, weighted_deviation(log_p, np.where(chosen, -(ratio + 1), 0.0)))


def topk_forward_kl(
    log_p: Float[np.ndarray, "*#B V"],
    log_q: Float[np.ndarray, "*#B V"],
    k: int = 16,
    support: Support = "student",
    tail: Tail = "bucket",
    temperature: float = 1.0,
) -> Float64[np.ndarray, "*#B V"]:
    """`forward_kl` on the k most probable tokens; `odd.method.objectives.Tail` says what becomes of the others.

    With the teacher's support, `drop` is verl's `forward_kl_topk` and `bucket` its `forward_kl_topk_tail`; `bucket` and
    `renormalize` are TRL's server mode with and without `loss_add_tail`.
    """
    log_p, log_q = soften_both(log_p, log_q, temperature)
    return truncated_forward_kl(log_p, log_q, top_k_support(log_p, log_q, k, support), tail) / temperature


def truncated_forward_kl(
    log_p: Float64[np.ndarray, "*#B V"],
    log_q: Float64[np.ndarray, "*#B V"],
    chosen: Bool[np.ndarray, "*#B V"],
    tail: Tail,
) -> Float64[np.ndarray, "*#B V"]:
    """`topk_forward_kl` of softened distributions, on any chosen tokens."""
    if tail != "drop":
        return forward_kl(*truncate(log_p, log_q, chosen, tail))
    q = np.where(chosen, np.exp(log_q), 0.0)
    with np.errstate(invalid="ignore"):
        loss = np.where(q > 0, q * (log_q - log_p), 0.0).sum(axis=-1, keepdims=True)
    return np.where(loss < 0, 0.0, q - q.sum(axis=-1, keepdims=True) * np.exp(log_p))


def distillation_gradient(
    objective: Objective,
    log_p: Float[np.ndarray, "*#B V"],
    log_q: Float[np.ndarray, "*#B V"],
    visits: Real[np.ndarray, "*#B V"] | None = None,
    successes: Real[np.ndarray, "*#B V"] | None = None,
    to_go: RewardToGo | None = None,
) -> Float64[np.ndarray, "*#B V"]:
    """Ascent direction of any objective (method §3).

    Args:
        objective: which one, with its parameters.
        log_p: student log-probabilities.
        log_q: teacher log-probabilities; unused by `dr_grpo`.
        visits: student-drawn visits of each token, for `sampled_reverse_kl` and `dr_grpo`.
        successes: successes among them, for `dr_grpo`.
        to_go: what the rollouts through each token were rewarded with, for `minillm`.

    Raises:
        ValueError: the objective needs what was not given.
    """
    temperature = objective.temperature
    match objective.name:
        case "reverse_kl":
            return reverse_kl(log_p, log_q, temperature)
        case "forward_kl":
            return forward_kl(log_p, log_q, temperature)
        case "jsd":
            return jsd(log_p, log_q, objective.beta, temperature)
        case "sampled_reverse_kl" if visits is not None:
            return sampled_reverse_kl(log_p, log_q, visits, temperature)
        case "dr_grpo" if visits is not None and successes is not None:
            shape = np.broadcast_shapes(log_p.shape, log_q.shape)
            return np.broadcast_to(dr_grpo(visits, successes, temperature), shape)
        case "minillm" if to_go is not None:
            return minillm(log_p, log_q, to_go.first, to_go.later, temperature)
        case "topk_reverse_kl" | "topk_forward_kl":
            truncated = topk_reverse_kl if objective.name == "topk_reverse_kl" else topk_forward_kl
            return truncated(log_p, log_q, objective.k, objective.support, objective.tail, temperature)
    raise ValueError(f"objective {objective.name} needs the visits, successes or rewards-to-go of the node's tokens")


def _finish(
    gradient: Float64[np.ndarray, "*#B V"], unknown: Bool[np.ndarray, "*#B V"] | None, temperature: float
) -> Float64[np.ndarray, "*#B V"]:
    """Blank the unknown components; from softened to un-softened logits."""
    if unknown is not None:
        gradient = np.where(unknown, np.nan, gradient)
    return gradient / temperature if temperature != 1 else gradient
