"""Operations on vectors of log-probabilities: softening, conditioning, coarsening, the k most probable tokens.

Dimension letters in `odd.method`: Q questions, R rollouts, T tokens, V vocabulary, N nodes, K children, B any leading
batch dimensions, D posterior draws, M teachers. All results are float64.

Zero probabilities mean different things. A *student* probability of 0 (log-probability -inf) is exact: the token
cannot be sampled, and every term weighted by it vanishes. A *teacher* probability of 0 is unknown: servers report only
the top k tokens, so the probability of the others is unknown (method §8).
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer

Support = Literal["student", "teacher", "union"]
Tail = Literal["bucket", "renormalize", "drop"]
"""How a truncated loss treats the tokens outside its support: `bucket` merges them into one token, `renormalize`
conditions both distributions on the support, `drop` omits their terms from the sum over the vocabulary. With `drop` the
sum can be negative; as in verl, it then counts as 0 and has no gradient."""

BLOCK = 128
"""Block size in the search for the largest entries of a long vector."""
UNREPORTED_FLOOR = 1e-6
"""Teacher mass missing from the reported tokens up to which it is treated as float32 rounding."""


def log_sum_exp(x: Float[np.ndarray, "*B V"]) -> Float64[np.ndarray, "*B"]:
    """Return log(sum(exp(x))) over the last axis; -inf where every entry is -inf."""
    x = x.astype(np.float64, copy=False)
    peak = x.max(axis=-1, keepdims=True, initial=-np.inf)
    peak = np.where(np.isfinite(peak), peak, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(x - peak).sum(axis=-1)) + peak[..., 0])


def dot(x: Float64[np.ndarray, "*#B V"], y: Float64[np.ndarray, "*#B V"]) -> Float64[np.ndarray, "*#B"]:
    """Sum x * y over the last axis.

    Avoids BLAS, which wakes threads for long vectors: on a busy processor that takes longer than the sum itself.
    """
    return np.asarray(np.einsum("...v,...v->...", x, y))


def soften(log_p: Float[np.ndarray, "*B V"], temperature: float) -> Float64[np.ndarray, "*B V"]:
    """Return log-probabilities at a loss temperature: log-softmax of log_p / temperature. Unchanged at temperature 1.

    Args:
        log_p: log-probabilities, over the whole vocabulary.
        temperature: > 0.
    """
    log_p = log_p.astype(np.float64, copy=False)
    if temperature == 1:
        return log_p
    scaled = log_p / temperature
    return scaled - log_sum_exp(scaled)[..., None]


def soften_both(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], temperature: float
) -> tuple[Float64[np.ndarray, "*#B V"], Float64[np.ndarray, "*#B V"]]:
    """Soften both to the loss temperature, conditioned on the teacher's known tokens where some are unknown."""
    if temperature != 1 and not (known := log_q > -np.inf).all():
        log_p, log_q = condition(log_p, known), condition(log_q, known)
    return soften(log_p, temperature), soften(log_q, temperature)


def known_both(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], temperature: float
) -> tuple[Float64[np.ndarray, "*#B V"], Float64[np.ndarray, "*#B V"], Bool[np.ndarray, "*#B V"] | None]:
    """Soften and condition both on the teacher's known tokens; also return the mask of unknown components, if any."""
    known = log_q > -np.inf
    if known.all():
        return soften(log_p, temperature), soften(log_q, temperature), None
    unknown = ~known & (log_p > -np.inf)
    log_p, log_q = condition(log_p, known), condition(log_q, known)
    return soften(log_p, temperature), soften(log_q, temperature), unknown


def log_ratio(log_p: Float64[np.ndarray, "*#B V"], log_q: Float64[np.ndarray, "*#B V"]) -> Float64[np.ndarray, "*#B V"]:
    """Return the log ratio l = log P_theta - log P_te (eq. 2.6), 0 where P_theta = 0."""
    with np.errstate(invalid="ignore"):
        return np.where(log_p > -np.inf, log_p - log_q, 0.0)


def weighted_deviation(
    log_p: Float64[np.ndarray, "*#B V"], f: Float64[np.ndarray, "*#B V"]
) -> Float64[np.ndarray, "*#B V"]:
    """Return P_j (f_j - mean f), the mean weighted by P (eq. 2.8)."""
    p = np.exp(log_p)
    return p * (f - (p * f).sum(axis=-1, keepdims=True))


def fill_with_mean(
    log_p: Float64[np.ndarray, "*#B V"], values: Float[np.ndarray, "*#B V"]
) -> Float64[np.ndarray, "*#B V"]:
    """Replace unknown (NaN) values with the P-weighted mean of the known ones."""
    known = ~np.isnan(values)
    p = np.where(known, np.exp(log_p), 0.0)
    with np.errstate(invalid="ignore"):
        mean = (p * np.where(known, values, 0.0)).sum(axis=-1, keepdims=True) / p.sum(axis=-1, keepdims=True)
    return np.where(known, values, mean)


def condition(log_p: Float[np.ndarray, "*#B V"], mask: Bool[np.ndarray, "*#B V"]) -> Float64[np.ndarray, "*#B V"]:
    """Renormalise on the tokens of `mask`; -inf elsewhere. All NaN where the mask has no mass."""
    masked = np.where(mask, log_p.astype(np.float64, copy=False), -np.inf)
    with np.errstate(invalid="ignore"):
        return masked - log_sum_exp(masked)[..., None]


def restrict(log_p: Float[np.ndarray, "*B V"], support: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, "*B K"]:
    """Keep only the tokens of `support`, in its order, and renormalise. All NaN where they have no mass."""
    kept = log_p[..., support].astype(np.float64, copy=False)
    with np.errstate(invalid="ignore"):
        return kept - log_sum_exp(kept)[..., None]


def coarsen(log_p: Float[np.ndarray, "*B V"], support: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, "*B K+1"]:
    """Keep the tokens of `support` and merge all others into one last entry.

    The rest is summed directly, because 1 - (sum over the support) loses all digits of a small rest.
    """
    outside = log_p.astype(np.float64)
    kept = outside[..., support].copy()
    outside[..., support] = -np.inf
    return np.concatenate([kept, log_sum_exp(outside)[..., None]], axis=-1)


def top_k_mask(log_p: Float[np.ndarray, "*B V"], k: int) -> Bool[np.ndarray, "*B V"]:
    """Mark the k most probable tokens (all when V <= k); ties go to the lower token id."""
    size = log_p.shape[-1]
    if k >= size:
        return np.ones(log_p.shape, dtype=bool)
    threshold = _kth_largest(log_p, k)[..., None]
    chosen = log_p >= threshold
    if (chosen.sum(axis=-1) == k).all():
        return chosen
    above = log_p > threshold
    tied = log_p == threshold
    room = k - above.sum(axis=-1, keepdims=True)
    return above | (tied & (np.cumsum(tied, axis=-1) <= room))


def _kth_largest(x: Float[np.ndarray, "*B V"], k: int) -> Float[np.ndarray, "*B"]:
    """Return the k-th largest entry, k < V. The k-th largest block maximum bounds it, so few entries are sorted."""
    rows = x.reshape(-1, x.shape[-1])
    blocks = x.shape[-1] // BLOCK
    if blocks <= k:
        return np.partition(x, -k, axis=-1)[..., -k]
    maxima = rows[:, : blocks * BLOCK].reshape(len(rows), blocks, BLOCK).max(axis=-1)
    floor = np.partition(maxima, -k, axis=-1)[:, -k]
    found = [np.partition(row[row >= least], -k)[-k] for row, least in zip(rows, floor, strict=True)]
    return np.array(found, dtype=x.dtype).reshape(x.shape[:-1])


def first_largest(x: Float[np.ndarray, " V"], k: int) -> Int64[np.ndarray, " k"]:
    """Return the indices of the k largest entries in descending order; ties go to the lower index."""
    return np.argsort(-x, kind="stable")[:k]


def top_k_support(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], k: int, support: Support
) -> Bool[np.ndarray, "*#B V"]:
    """Mark the support of a truncated loss: top k of student, teacher or both, if reported by the teacher."""
    chosen = np.zeros((), dtype=bool)
    if support != "teacher":
        chosen = chosen | top_k_mask(log_p, k)
    if support != "student":
        chosen = chosen | top_k_mask(log_q, k)
    return chosen & (log_q > -np.inf)


def truncate(
    log_p: Float[np.ndarray, "*#B V"], log_q: Float[np.ndarray, "*#B V"], chosen: Bool[np.ndarray, "*#B V"], tail: Tail
) -> tuple[Float64[np.ndarray, "*#B V"], Float64[np.ndarray, "*#B V"]]:
    """Return student and teacher distributions as seen by a loss truncated to the chosen tokens.

    `renormalize` conditions both on the support. `bucket` merges the tokens outside it: giving the teacher's tail the
    student's shape, scaled to the teacher's tail mass, yields exactly the gradient of that bucket, spread over its
    tokens in proportion to P_theta. Tokens the teacher does not report belong to the tail, as does the mass missing
    from its report, so a bucket is exact for a top-k server at temperature 1.

    Args:
        log_p: student log-probabilities.
        log_q: teacher log-probabilities; -inf means unknown.
        chosen: the tokens to keep, from `top_k_support`.
        tail: treatment of the others; `drop` yields no distributions and is not handled here.
    """
    known = log_q > -np.inf
    if tail == "renormalize":
        return condition(log_p, chosen), condition(log_q, chosen)
    tail_p = log_sum_exp(np.where(chosen, -np.inf, log_p))[..., None]
    tail_mass = np.where(chosen, 0.0, np.exp(log_q, dtype=np.float64)).sum(axis=-1, keepdims=True)
    if not known.all():
        unreported = 1 - np.exp(log_q, dtype=np.float64).sum(axis=-1, keepdims=True)
        missing = ~known.all(axis=-1, keepdims=True) & (unreported > UNREPORTED_FLOOR)
        tail_mass = tail_mass + np.where(missing, unreported, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        shaped = np.where(log_p > -np.inf, log_p - tail_p + np.log(tail_mass), -np.inf)
    return log_p.astype(np.float64, copy=False), np.where(chosen, log_q.astype(np.float64, copy=False), shaped)
