"""KL divergences on the k most probable tokens, as used for training by verl, SWIFT and TRL's server mode."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Integer
from pydantic import Field

from odd.method.logspace import (
    Support,
    Tail,
    log_ratio,
    soften_both,
    top_k_support,
    truncate,
    weighted_deviation,
)
from odd.method.objectives.base import NOT_KNOWN, Gradient, LogProbs, Objective, Rollouts, Taken
from odd.method.objectives.forward_kl import ForwardKL, forward_kl
from odd.method.objectives.reverse_kl import ReverseKL, reverse_kl
from odd.method.sparse_rows import SparseRow


class TopK(Objective):
    """A KL divergence on a truncated support, which is part of its label."""

    k: int = Field(default=16, ge=1, description="tokens of the support")
    support: Support = "student"
    tail: Tail = "bucket"
    title = "top-k KL"
    meaning = (
        "A KL on the k most likely tokens; the label states under which model, and whether the rest is one bucket, "
        "renormalised away, or dropped."
    )

    @property
    def label(self) -> str:
        """Short unique name: the name with k, then support and tail."""
        label = f"{self.kind.replace('topk', f'top{self.k}')}_{self.support}_{self.tail}"
        return label if self.temperature == 1 else f"{label}_T{self.temperature:g}"

    def truncated(
        self, log_p: LogProbs, log_q: LogProbs, chosen: Bool[np.ndarray, "*#B V"]
    ) -> Float64[np.ndarray, "*#B V"]:
        """Compute the gradient for softened distributions and any chosen tokens."""
        raise ValueError(f"objective {self.kind} has no gradient: define it")

    def truncated_loss(self, log_p: LogProbs, log_q: LogProbs, chosen: Bool[np.ndarray, "*#B V"]) -> float:
        """Compute the loss for softened distributions and any chosen tokens."""
        raise ValueError(f"objective {self.kind} has no loss: define it")

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """Compute the gradient on the support; see `odd.method.logspace.Tail` for the treatment of other tokens."""
        log_p, log_q = soften_both(log_p, log_q, self.temperature)
        chosen = top_k_support(log_p, log_q, self.k, self.support)
        return self.truncated(log_p, log_q, chosen) / self.temperature

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """Compute the divergence on the support from `at`."""
        fixed, _ = soften_both(log_p if at is None else at, log_q, self.temperature)
        log_p, log_q = soften_both(log_p, log_q, self.temperature)
        return self.truncated_loss(log_p, log_q, top_k_support(fixed, log_q, self.k, self.support))

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Compute the gradient on the most probable tokens one by one and all others merged.

        Tokens outside the top sets share the merged component in proportion to P_theta.
        """
        tokens, chosen, log_p, log_q = row.kept(self.k, self.support)
        gradient = self.truncated(log_p, log_q, chosen)
        same = tokens == support[:, None]
        inside = same.any(axis=1)
        column = np.where(inside, same.argmax(axis=1), len(log_p) - 1)
        share = np.exp(np.where(inside, 0.0, row.at(support)[0] - log_p[column]))
        return gradient[:, column] * share


class TopKReverseKL(TopK):
    """Reverse KL on the k most probable tokens."""

    name: Literal["topk_reverse_kl"] = "topk_reverse_kl"
    default = True
    order = 6

    def truncated(
        self, log_p: LogProbs, log_q: LogProbs, chosen: Bool[np.ndarray, "*#B V"]
    ) -> Float64[np.ndarray, "*#B V"]:
        """Compute `reverse_kl` of the truncated distributions; for `drop`, without the terms of the other tokens."""
        if self.tail != "drop":
            return reverse_kl(*truncate(log_p, log_q, chosen, self.tail))
        ratio = np.where(chosen, log_ratio(log_p, log_q), 0.0)
        loss = (np.exp(log_p) * ratio).sum(axis=-1, keepdims=True)
        return np.where(loss < 0, 0.0, weighted_deviation(log_p, np.where(chosen, -(ratio + 1), 0.0)))

    def truncated_loss(self, log_p: LogProbs, log_q: LogProbs, chosen: Bool[np.ndarray, "*#B V"]) -> float:
        """Compute the divergence; with `drop`, a negative value counts as 0."""
        if self.tail != "drop":
            return ReverseKL().loss(*truncate(log_p, log_q, chosen, self.tail))
        return max(0.0, float(np.where(chosen, np.exp(log_p) * log_ratio(log_p, log_q), 0.0).sum()))


class TopKForwardKL(TopK):
    """Forward KL on the k most probable tokens.

    With the teacher's support, `drop` is verl's `forward_kl_topk` and `bucket` is its `forward_kl_topk_tail`; `bucket`
    and `renormalize` are TRL's server mode with and without `loss_add_tail`.
    """

    name: Literal["topk_forward_kl"] = "topk_forward_kl"
    default = True
    order = 7

    def truncated(
        self, log_p: LogProbs, log_q: LogProbs, chosen: Bool[np.ndarray, "*#B V"]
    ) -> Float64[np.ndarray, "*#B V"]:
        """Compute `forward_kl` of the truncated distributions; for `drop`, without the terms of the other tokens."""
        if self.tail != "drop":
            return forward_kl(*truncate(log_p, log_q, chosen, self.tail))
        q = np.where(chosen, np.exp(log_q), 0.0)
        with np.errstate(invalid="ignore"):
            loss = np.where(q > 0, q * (log_q - log_p), 0.0).sum(axis=-1, keepdims=True)
        return np.where(loss < 0, 0.0, q - q.sum(axis=-1, keepdims=True) * np.exp(log_p))

    def truncated_loss(self, log_p: LogProbs, log_q: LogProbs, chosen: Bool[np.ndarray, "*#B V"]) -> float:
        """Compute the divergence; with `drop`, a negative value counts as 0."""
        if self.tail != "drop":
            return ForwardKL().loss(*truncate(log_p, log_q, chosen, self.tail))
        q = np.where(chosen, np.exp(log_q), 0.0)
        with np.errstate(invalid="ignore"):
            return max(0.0, float(np.where(q > 0, q * (log_q - log_p), 0.0).sum()))
