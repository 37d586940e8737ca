"""Gradients at a few tokens, from sums over the vocabulary that are known already (method §3).

The same gradients as in `odd.method.gradients`, where they stand over the whole vocabulary with their sources; here
only the components at the children of a node are worked out. Dimension letters as in `odd.method.logspace`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Integer, Real

from odd.method.gradients import dr_grpo, truncated_forward_kl, truncated_reverse_kl
from odd.method.objectives import Objective, Rest
from odd.method.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Taken:
    """Rollouts behind the sampled objectives: visits of some tokens, and successes among these; no other was taken."""

    tokens: Integer[np.ndarray, " N"]
    visits: Real[np.ndarray, " N"]
    successes: Real[np.ndarray, " N"] | None = None

    def visits_at(self, tokens: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
        """Visits of any tokens."""
        return self._at(self.visits, tokens)

    def successes_at(self, tokens: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, " K"] | None:
        """Successes of any tokens."""
        return None if self.successes is None else self._at(self.successes, tokens)

    def reduced(self, support: Integer[np.ndarray, " K"], rest: Rest) -> tuple[np.ndarray, np.ndarray | None]:
        """Visits and successes of S_u, and with a bucket those of all other tokens together."""
        visits, successes = self.visits_at(support), self.successes_at(support)
        if rest == "bucket":
            visits = np.append(visits, self.visits.sum() - visits.sum())
            if self.successes is not None and successes is not None:
                successes = np.append(successes, self.successes.sum() - successes.sum())
        return visits, successes

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The tokens in ascending order, and where each stands."""
        order = np.argsort(self.tokens)
        return self.tokens[order], order

    def _at(self, counts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        known, order = self._sorted
        if not len(known):
            return np.zeros(len(tokens))
        place = np.minimum(np.searchsorted(known, tokens), len(known) - 1)
        return np.where(known[place] == tokens, counts[order[place]], 0).astype(np.float64)


def gradient_at(
    objective: Objective, vocabulary: Vocabulary, support: Integer[np.ndarray, " K"], taken: Taken | None
) -> Float64[np.ndarray, "M K"]:
    """Ascent direction of any objective but `minillm` at some tokens (method §3).

    Args:
        objective: which one, with its parameters.
        vocabulary: the node's, softened by the objective's temperature.
        support: the tokens.
        taken: rollouts, for `sampled_reverse_kl` and `dr_grpo`.

    Raises:
        ValueError: the objective needs what was not given.
    """
    log_p, log_q = (log.take(support, axis=-1).astype(np.float64) for log in (vocabulary.log_p, vocabulary.log_q))
    p, ratio = np.exp(log_p), log_p - log_q
    match objective.name:
        case "reverse_kl":
            gradient = -p * (ratio - vocabulary.kl_student_teacher[:, None])
        case "forward_kl":
            gradient = np.exp(log_q) - p
        case "jsd":
            mixture = np.log(objective.beta * np.exp(log_q) + (1 - objective.beta) * p)
            mean = vocabulary.kl_student_mixture(objective.beta)[:, None]
            gradient = (1 - objective.beta) * p * (mixture - log_p + mean)
        case "sampled_reverse_kl" if taken is not None:
            gradient = _sampled_reverse_kl(vocabulary, support, taken)
        case "dr_grpo" if taken is not None and (counts := taken.reduced(support, "bucket"))[1] is not None:
            gradient = np.broadcast_to(dr_grpo(counts[0], counts[1])[:-1], ratio.shape)
        case "topk_reverse_kl" | "topk_forward_kl":
            gradient = _truncated(objective, vocabulary, support)
        case name:
            raise ValueError(f"objective {name} needs the visits, successes or rewards-to-go of the node's tokens")
    return gradient / objective.temperature if objective.temperature != 1 else gradient


def _sampled_reverse_kl(vocabulary: Vocabulary, support: np.ndarray, taken: Taken) -> np.ndarray:
    """Eq. 2.9: reward_j - P_j (sum of rewards), reward_r = -share_r (l_r + 1)."""
    visited = np.flatnonzero(taken.visits)
    tokens = np.concatenate([taken.tokens[visited], support])
    log_p, log_q = (log.take(tokens, axis=-1).astype(np.float64) for log in (vocabulary.log_p, vocabulary.log_q))
    visits = np.append(taken.visits[visited], taken.visits_at(support))
    with np.errstate(invalid="ignore"):
        reward = -(visits / taken.visits.sum()) * (log_p - log_q + 1)
    whole = reward[:, : len(visited)].sum(axis=1, keepdims=True)
    return reward[:, len(visited) :] - np.exp(log_p[len(visited) :]) * whole


def _truncated(objective: Objective, vocabulary: Vocabulary, support: np.ndarray) -> np.ndarray:
    """A top-k objective on the most probable tokens one by one, and all others as one.

    Tokens outside the top sets are treated alike: they share their common component in proportion to P_theta.
    """
    tokens, chosen, log_p, log_q = vocabulary.kept(objective.k, objective.support)
    truncated = truncated_reverse_kl if objective.name == "topk_reverse_kl" else truncated_forward_kl
    gradient = truncated(log_p, log_q, chosen, objective.tail)
    same = tokens == support[:, None]
    inside = same.any(axis=1)
    column = np.where(inside, same.argmax(axis=1), len(log_p) - 1)
    share = np.exp(np.where(inside, 0.0, vocabulary.log_p[support].astype(np.float64) - log_p[column]))
    return gradient[:, column] * share
