"""Base class of distillation objectives: parameters, inputs, loss, and gradient in the student's logits.

Every gradient is an ascent direction of the form g_j = P_j (f_j - mean f): it points in the direction in which training
moves the student's logits, so a positive cosine with the ideal gradient always means that the teacher helps. Equation
numbers are those of Armandpour et al., arXiv 2605.10889. Conventions shared by all objectives:

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

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer, Real
from pydantic import BeforeValidator, Field, SerializeAsAny

from odd.method.conventions import Rest
from odd.method.reward_to_go import RewardToGo
from odd.method.sparse_rows import Part, SparseRow
from odd.settings import Settings

Need = Literal["visits", "successes", "rewards"]
"""What an objective needs from the rollouts through a node: how many took each token, how many of these succeeded, and
student and teacher log-probabilities for the rest of each, which requires student and teachers to score all rollouts.
"""


@dataclass(frozen=True, eq=False)
class Rollouts:
    """The rollouts through a node by the token they took there; other tokens were not taken.

    Attributes:
        tokens: distinct token ids, (N,).
        visits: rollouts in which the student sampled the token or, under a pooling rule that counts these, was forced
            to take it.
        successes: successes among these.
        to_go: for objectives that need rewards, mean reward-to-go by token, (M, N); NaN where no rollout counts.
    """

    tokens: Integer[np.ndarray, " N"]
    visits: Real[np.ndarray, " N"]
    successes: Real[np.ndarray, " N"]
    to_go: Mapping["Objective", RewardToGo] = field(default_factory=dict)

    def visits_at(self, tokens: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
        """Return the visits of any tokens, 0 for those that were not taken."""
        return self._at(self.visits, tokens, 0.0)

    def successes_at(self, tokens: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, " K"]:
        """Return the successes of any tokens, 0 for those that were not taken."""
        return self._at(self.successes, tokens, 0.0)

    def to_go_at(self, objective: "Objective", tokens: Integer[np.ndarray, " K"]) -> RewardToGo | None:
        """Return the rewards-to-go of any tokens, (M, K), NaN for those that were not taken; None without rewards."""
        if (known := self.to_go.get(objective)) is None:
            return None
        return RewardToGo(*(self._at(values, tokens, np.nan) for values in (known.first, known.later)))

    def over(self, objective: "Objective", tokens: Integer[np.ndarray, " K"]) -> "Taken":
        """Return counts and rewards-to-go of the given vocabulary."""
        return Taken(self.visits_at(tokens), self.successes_at(tokens), self.to_go_at(objective, tokens))

    def reduced(
        self, support: Integer[np.ndarray, " K"], rest: Rest
    ) -> tuple[Float64[np.ndarray, " C"], Float64[np.ndarray, " C"]]:
        """Return visits and successes of S_u and, with a bucket, of all other tokens summed as last entry."""
        counts = self.visits_at(support), self.successes_at(support)
        if rest == "off":
            return counts
        visits, successes = (
            np.append(inside, every.sum() - inside.sum())
            for inside, every in zip(counts, (self.visits, self.successes), strict=True)
        )
        return visits, successes

    def reduced_to_go(
        self, objective: "Objective", support: Integer[np.ndarray, " K"], rest: Rest
    ) -> RewardToGo | None:
        """Return rewards-to-go of S_u and, with a bucket, the mean over the rest's visits, NaN without any; (M, C)."""
        inside = self.to_go_at(objective, support)
        if inside is None or rest == "off":
            return inside
        outside = np.where(np.isin(self.tokens, support), 0, self.visits)

        def joined(kept: np.ndarray, values: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore"):
                mean = np.where(outside > 0, outside * values, 0.0).sum(axis=1, keepdims=True) / outside.sum()
            return np.append(kept, mean, axis=1)

        known = self.to_go[objective]
        return RewardToGo(joined(inside.first, known.first), joined(inside.later, known.later))

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The tokens in ascending order, and the index of each."""
        order = np.argsort(self.tokens)
        return self.tokens[order], order

    def _at(self, values: np.ndarray, tokens: np.ndarray, missing: float) -> np.ndarray:
        known, order = self._sorted
        if not len(known):
            return np.full((*values.shape[:-1], len(tokens)), missing)
        place = np.minimum(np.searchsorted(known, tokens), len(known) - 1)
        return np.where(known[place] == tokens, values[..., order[place]], missing).astype(np.float64)


LogProbs = Float[np.ndarray, "*#B V"]
Gradient = Float64[np.ndarray, "*#B V"]


class Taken(NamedTuple):
    """Counts and rewards-to-go per vocabulary token from the rollouts through a node; None if not known."""

    visits: Real[np.ndarray, "*#B V"] | None = None
    successes: Real[np.ndarray, "*#B V"] | None = None
    to_go: RewardToGo | None = None


NOT_KNOWN = Taken()


class Objective(Settings):
    """A distillation objective with its parameters; subclasses declare `name` as a field with a single value."""

    temperature: float = Field(default=1.0, ge=0.01, le=100, description="softens both distributions inside the loss")

    needs: ClassVar[frozenset[Need]] = frozenset()
    has_teacher: ClassVar[bool] = True
    """Whether it uses the teacher; if not, the gradient is the same for every teacher."""
    title: ClassVar[str] = ""
    """Heading in the glossary; empty: its name as pages show it."""
    meaning: ClassVar[str] = ""
    """What it minimises or rewards, in one sentence for the glossary, which leaves it out without one."""
    formula: ClassVar[str] = ""
    """Its gradient in TeX."""
    default: ClassVar[bool] = False
    """Whether it is among the default objectives of a run."""
    order: ClassVar[int] = 100
    """Sort key among the objectives, ascending."""
    registry: ClassVar[dict[str, type["Objective"]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Register the objective under its name; classes without a name are base classes."""
        if "name" in cls.model_fields:
            Objective.registry[cls.model_fields["name"].default] = cls

    @classmethod
    def uses_outcomes(cls) -> bool:
        """Return whether the gradient is computed from outcomes; if so, halves of the rollouts depend on it."""
        return "successes" in cls.needs

    @property
    def kind(self) -> str:
        """Its name in the registry."""
        return str(getattr(self, "name"))  # noqa: B009 - a field of subclasses

    @property
    def parameters(self) -> str:
        """The part of its label that encodes its parameters, appended to the name."""
        return ""

    @property
    def label(self) -> str:
        """Short unique name, as used in run files and links."""
        label = f"{self.kind}{self.parameters}"
        return label if self.temperature == 1 else f"{label}_T{self.temperature:g}"

    def gradient(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN) -> Gradient:
        """Compute the ascent direction over the whole vocabulary.

        Args:
            log_p: student log-probabilities.
            log_q: teacher log-probabilities.
            taken: counts and rewards-to-go per token; rewards-to-go are NaN for tokens that were not taken.

        Raises:
            ValueError: an input that the objective needs is missing.
        """
        raise ValueError(f"objective {self.kind} has no gradient: define it")

    def loss(self, log_p: LogProbs, log_q: LogProbs, taken: Taken = NOT_KNOWN, at: LogProbs | None = None) -> float:
        """Compute the loss at a node; `gradient` is minus its derivative in the student's logits.

        Args:
            log_p: student log-probabilities, the variable of the loss, (V,).
            log_q: teacher log-probabilities, (V,).
            taken: as for `gradient`.
            at: student log-probabilities for the rewards, which training treats as constants; None: `log_p`.

        Raises:
            ValueError: an input that the objective needs is missing.
        """
        raise ValueError(f"objective {self.kind} has no loss: define it")

    def rewards_to_go(self, rewards: Float[np.ndarray, "*B R T"], inside: Bool[np.ndarray, "*#B R T"]) -> RewardToGo:
        """Compute the reward-to-go of each token of each rollout, for an objective that needs rewards.

        Args:
            rewards: log P_te - log P_theta of each token; NaN where unknown.
            inside: which positions contain a token; padding follows.

        Raises:
            ValueError: the objective needs no rewards.
        """
        raise ValueError(f"objective {self.kind} has no rewards-to-go")

    def partial_sum(self, part: Part) -> Float64[np.ndarray, " M"] | None:
        """Return a sum over a vocabulary slice that `gradient_at` needs in addition to those of every row."""
        return None

    def gradient_at(
        self, row: SparseRow, support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Compute the gradient in the softened logits at some tokens, from the sums of a row.

        Optional: without it, rows keep the whole vocabulary.

        Args:
            row: row of the node, softened by the objective's temperature.
            support: tokens of the row.
            rollouts: rollouts through the node.

        Raises:
            ValueError: an input that the objective needs is missing.
        """
        raise ValueError(f"objective {self.kind} has no gradient from sums")

    @classmethod
    def reduces(cls) -> bool:
        """Return whether `gradient_at` is defined, so rows need not keep the whole vocabulary."""
        return cls.gradient_at is not Objective.gradient_at

    def at(
        self, rows: Mapping[float, SparseRow], support: Integer[np.ndarray, " K"], rollouts: Rollouts | None
    ) -> Float64[np.ndarray, "M K"]:
        """Compute `gradient` at some tokens: from sums where these are known, else from the whole vocabulary.

        Args:
            rows: rows of the node by softening temperature; 1 is always present.
            support: tokens of the rows.
            rollouts: rollouts through the node.

        Raises:
            ValueError: an input that the objective needs is missing.
        """
        row = rows.get(self.temperature)
        if self.reduces() and row is not None and row.sums is not None:
            gradient = self.gradient_at(row, support, rollouts)
            return gradient / self.temperature if self.temperature != 1 else gradient
        plain = rows[1.0]
        if not plain.whole:
            raise ValueError(f"objective {self.kind} needs rows of the whole vocabulary: pass it to read_rows")
        taken = NOT_KNOWN if rollouts is None else rollouts.over(self, plain.tokens)
        gradient = self.gradient(plain.log_p[None], plain.log_q, taken)
        return np.broadcast_to(gradient, plain.log_q.shape).take(plain.index(support), axis=-1)

    def missing(self, what: str) -> ValueError:
        """Return the error for a missing input."""
        return ValueError(f"objective {self.kind} needs the {what} of the node's tokens")


def objective(name: str, **parameters: Any) -> Objective:
    """Return an objective by name; parameters that only other objectives have are ignored.

    Raises:
        ValueError: there is no such objective or parameter, or a value is invalid.
    """
    return parse_objective({"name": name, **parameters})


def parse_objective(data: Any) -> Any:
    """Parse an objective from a table of settings; anything else is left to pydantic to reject."""
    if not isinstance(data, dict):
        return data
    name = data.get("name")
    if not isinstance(name, str) or name not in Objective.registry:
        raise ValueError(f"there is no objective {name!r}: choose one of {', '.join(Objective.registry)}")
    own = Objective.registry[name].model_fields
    others = {parameter for kind in Objective.registry.values() for parameter in kind.model_fields}
    kept = {key: value for key, value in data.items() if key in own or key not in others}
    return Objective.registry[name].model_validate(kept)


AnyObjective = Annotated[SerializeAsAny[Objective], BeforeValidator(parse_objective)]
"""Any registered objective, as a field of settings."""


def registered() -> dict[str, type[Objective]]:
    """Return all objectives by name, in their order."""
    return dict(sorted(Objective.registry.items(), key=lambda item: item[1].order))


def default_objectives() -> tuple[Objective, ...]:
    """Return the default objectives of a run."""
    return tuple(kind() for kind in registered().values() if kind.default)


def finished(
    gradient: Float64[np.ndarray, "*#B V"], unknown: Bool[np.ndarray, "*#B V"] | None, temperature: float
) -> Float64[np.ndarray, "*#B V"]:
    """Set unknown components to NaN, and convert from softened to un-softened logits."""
    if unknown is not None:
        gradient = np.where(unknown, np.nan, gradient)
    return gradient / temperature if temperature != 1 else gradient
