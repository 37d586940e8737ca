"""The distillation signal of teachers at one node, cut down to its children S_u by a convention (method §4).

Of a `Convention`, `baseline` says whether gradients use the whole vocabulary (`full`) or distributions renormalised on
S_u (`children`), and `rest` whether everything outside S_u is one more child (`bucket`). Dimension letters as in
`odd.method.logspace`, and C the components of a convention: K, or K + 1 with the rest.

The vocabulary is read once for all objectives and conventions (`odd.method.vocabulary`), and gradients are worked out
at the children alone (`odd.method.restricted`). Where a probability is 0 or unknown, or what is asked of each token of
the vocabulary differs (`minillm`), the whole gradient is, and is then cut down: `gradient`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Integer, Real

from odd.method.divergences import divergences, mass_on_top_k, top_k_overlap
from odd.method.gradients import distillation_gradient
from odd.method.logspace import coarsen, restrict, soften
from odd.method.objectives import Baseline, Objective, Rest
from odd.method.restricted import Taken, gradient_at
from odd.method.reward_to_go import RewardToGo
from odd.method.vocabulary import Vocabulary

SAMPLED = ("sampled_reverse_kl", "dr_grpo")
"""Objectives that depend on which rollouts count."""
TINY = 1e-290
"""A mass below this may have lost digits to underflow."""


class Reduced(NamedTuple):
    """A node as a small vocabulary: S_u, and the rest as last token where the convention has it."""

    log_p: Float64[np.ndarray, " C"]
    log_q: Float64[np.ndarray, "M C"]
    visits: Float64[np.ndarray, " C"] | None
    successes: Float64[np.ndarray, " C"] | None


class NodeSignal:
    """The distillation signal of M teachers at one node.

    Args:
        log_p: student log-probabilities over the whole vocabulary.
        log_q: teacher log-probabilities, one row a teacher; -inf is unknown.
        visits: rollouts behind the sampled objectives, by token: those in which the student drew the token itself, or,
            under `pooled`, forced ones too. None if no objective needs them.
        successes: successes among these visits.
        to_go: by objective, mean reward-to-go of the rollouts through each token, of shape (M, V); for `minillm`.
        tokens: the tokens that `visits` and `successes` are of, all others have none; None: the whole vocabulary.
    """

    def __init__(
        self,
        log_p: Float[np.ndarray, " V"],
        log_q: Float[np.ndarray, "M V"],
        visits: Real[np.ndarray, " N"] | None = None,
        successes: Real[np.ndarray, " N"] | None = None,
        to_go: Mapping[Objective, RewardToGo] | None = None,
        tokens: Integer[np.ndarray, " N"] | None = None,
    ) -> None:
        """Keep the arrays; nothing is computed yet."""
        self.log_p, self.log_q = log_p, log_q
        self._vocabularies: dict[float, Vocabulary | None] = {}
        self._unsampled: dict[tuple[Objective, bytes], np.ndarray] = {}
        self._count(visits, successes, to_go, tokens)

    def _count(
        self,
        visits: np.ndarray | None,
        successes: np.ndarray | None,
        to_go: Mapping[Objective, RewardToGo] | None,
        tokens: np.ndarray | None,
    ) -> None:
        if tokens is None:
            tokens = np.arange(len(self.log_p) if visits is not None else 0)
        self.taken = None if visits is None else Taken(tokens, visits, successes)
        self.to_go = to_go or {}
        self._gradients: dict[Objective, np.ndarray] = {}
        self._reduced: dict[tuple[bytes, Rest], Reduced] = {}

    def counting(
        self,
        visits: Real[np.ndarray, " N"],
        successes: Real[np.ndarray, " N"],
        to_go: Mapping[Objective, RewardToGo] | None,
        tokens: Integer[np.ndarray, " N"],
    ) -> "NodeSignal":
        """The same node with other rollouts behind the sampled objectives; the vocabulary is not read again."""
        other = NodeSignal(self.log_p, self.log_q, visits, successes, to_go, tokens)
        other._vocabularies, other._unsampled = self._vocabularies, self._unsampled
        return other

    def read(self) -> None:
        """Read the vocabulary now rather than when it is first needed."""
        self._vocabulary(1.0)

    @property
    def visits(self) -> Float64[np.ndarray, " V"] | None:
        """Visits of every token."""
        return self.taken and self.taken.visits_at(np.arange(len(self.log_p)))

    @property
    def successes(self) -> Float64[np.ndarray, " V"] | None:
        """Successes of every token."""
        return self.taken and self.taken.successes_at(np.arange(len(self.log_p)))

    def gradient(self, objective: Objective) -> Float64[np.ndarray, "M V"]:
        """Whole-vocabulary ascent direction of every teacher; computed at the first call."""
        if objective not in self._gradients:
            self._gradients[objective] = distillation_gradient(
                objective, self.log_p, self.log_q, self.visits, self.successes, self.to_go.get(objective)
            )
        return self._gradients[objective]

    def at(self, objective: Objective, support: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, "M K"]:
        """`gradient` at some tokens, worked out at these alone where that can be done."""
        vocabulary = self._vocabulary(objective.temperature)
        if vocabulary is None or objective.name == "minillm":
            return self.gradient(objective).take(support, axis=1)
        if objective.name in SAMPLED:
            return gradient_at(objective, vocabulary, support, self.taken)
        key = objective, support.tobytes()
        if key not in self._unsampled:
            self._unsampled[key] = gradient_at(objective, vocabulary, support, None)
        return self._unsampled[key]

    def divergences(self, k: int) -> dict[str, Float64[np.ndarray, " M"]]:
        """How far each teacher is from the student, and what their k most probable tokens share."""
        if vocabulary := self._vocabulary(1.0):
            values, top = asdict(vocabulary.divergences()), vocabulary.compare_top(k)
        else:
            p, q = self.log_p[None].astype(np.float64), self.log_q.astype(np.float64)
            values, top = (
                asdict(divergences(p, q)),
                (top_k_overlap(p, q, k), mass_on_top_k(p, q, k), mass_on_top_k(q, p, k)),
            )
        names = (f"overlap_top{k}", f"teacher_mass_student_top{k}", f"student_mass_teacher_top{k}")
        return values | dict(zip(names, top, strict=True))

    def student(self, support: Integer[np.ndarray, " K"], baseline: Baseline, rest: Rest) -> Float64[np.ndarray, " C"]:
        """P_theta of the components of a convention: what `odd.method.gradients.ideal_gradient` takes with P̂.

        With a bucket the last entry is P_rest and they sum to 1. P̂_rest then goes last among the successes,
        NaN where no visit left S_u: this makes the score NaN, unless P_rest is exactly 0.
        """
        if rest == "off" and baseline == "full":
            return np.exp(self.log_p[support].astype(np.float64))
        return np.exp(self.reduced(support, rest).log_p)

    def components(
        self, objective: Objective, support: Integer[np.ndarray, " K"], baseline: Baseline, rest: Rest
    ) -> Float64[np.ndarray, "M C"]:
        """Every teacher's gradient over S_u, and over the rest as last component when `rest` is `bucket`.

        `full`: the whole-vocabulary gradient at S_u; the rest is the sum of all other components, which is minus the
        sum over S_u, because a gradient in logits sums to 0. `children`: the objective anew on both
        distributions, renormalised on S_u or coarsened to S_u and the rest, with visits and rewards cut down alike.
        """
        if baseline == "full":
            inside = self.at(objective, support)
            return inside if rest == "off" else np.append(inside, -inside.sum(axis=1, keepdims=True), axis=1)
        to_go = self.reduced_to_go(objective, support, rest)
        return distillation_gradient(objective, *self.reduced(support, rest), to_go)

    def reduced(self, support: Integer[np.ndarray, " K"], rest: Rest) -> Reduced:
        """The node renormalised on S_u, or coarsened to S_u and the rest; kept for other objectives."""
        key = (support.tobytes(), rest)
        if key not in self._reduced:
            log_p, log_q = (
                self._coarse(support)
                if rest == "bucket"
                else (
                    restrict(self.log_p, support),
                    restrict(self.log_q, support),
                )
            )
            counts = (None, None) if self.taken is None else self.taken.reduced(support, rest)
            self._reduced[key] = Reduced(log_p, log_q, *counts)
        return self._reduced[key]

    def _coarse(self, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if vocabulary := self._vocabulary(1.0):
            own, theirs = vocabulary.outside(support)
            if min(own, theirs.min()) > TINY:
                inside = self.log_p[support].astype(np.float64), self.log_q.take(support, axis=1).astype(np.float64)
                return np.append(inside[0], np.log(own)), np.append(inside[1], np.log(theirs)[:, None], axis=1)
        return coarsen(self.log_p, support), coarsen(self.log_q, support)

    def reduced_to_go(self, objective: Objective, support: Integer[np.ndarray, " K"], rest: Rest) -> RewardToGo | None:
        """Rewards-to-go of S_u, and of the rest as a mean over its visits: NaN without any."""
        to_go = self.to_go.get(objective)
        if to_go is None or rest == "off":
            return to_go and RewardToGo(to_go.first[:, support], to_go.later[:, support])
        if (visits := self.visits) is None:
            raise ValueError("the reward-to-go of the rest is weighted by visits: give them")
        visits[support] = 0

        def joined(values: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore"):
                mean = np.where(visits > 0, visits * values, 0.0).sum(axis=1, keepdims=True) / visits.sum()
            return np.append(values[:, support], mean, axis=1)

        return RewardToGo(joined(to_go.first), joined(to_go.later))

    def _vocabulary(self, temperature: float) -> Vocabulary | None:
        """Sums over the vocabulary at a loss temperature; None where a probability is 0 or unknown."""
        if temperature not in self._vocabularies:
            served = Vocabulary.serves(self.log_p, self.log_q)
            rows = (
                [log if temperature == 1 else soften(log, temperature) for log in (self.log_p, self.log_q)]
                if served
                else []
            )
            served = served and Vocabulary.serves(*rows)
            self._vocabularies[temperature] = Vocabulary(*rows) if served else None
        return self._vocabularies[temperature]
