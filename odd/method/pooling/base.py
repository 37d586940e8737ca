"""Base class of pooling rules: which rollouts count for an edge, and how its success is estimated (method §5).

An edge is identified by the node it leads to. Dimension letters as in `odd.method.logspace`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer, Real

from odd.method.success import Counts, edge_counts, jeffreys, natural
from odd.method.tree import Tree


@dataclass(frozen=True, eq=False)
class Sample:
    """The rollouts of one question on its tree.

    Attributes:
        tree: tree of these rollouts, in the same order; may have nodes that none of them visits.
        launch: length of each rollout's forced prefix; 0 for initial rollouts.
        correct: outcome of each rollout.
        p_student: P_theta of each edge; NaN where unknown.
    """

    tree: Tree
    launch: Integer[np.ndarray, " R"]
    correct: Bool[np.ndarray, " R"]
    p_student: Float[np.ndarray, " N"]

    def part(self, chosen: Bool[np.ndarray, " R"]) -> "Sample":
        """Return a subset of the rollouts, with all nodes of the tree."""
        return Sample(self.tree.part(chosen), self.launch[chosen], self.correct[chosen], self.p_student)


@dataclass(frozen=True, eq=False)
class EdgeSuccess:
    """Counts and success of every edge under a pooling rule.

    Attributes:
        counts: rollouts that count for the edge.
        drawn: rollouts that took the edge with the student's probability: P̂ of the rest outside S_u is estimated from
            these, and the sampled objectives average over them.
        value: P̂; NaN where unknown.
    """

    counts: Counts
    drawn: Counts
    value: Float64[np.ndarray, " N"]


class PoolingRule(ABC):
    """Which rollouts count for an edge, and how its success is estimated from them.

    A rule is stateless. Whether a rollout counts may depend only on the length of its forced prefix and the depth of
    the edge, so the rule also applies to rollouts that are not part of a tree.

    Attributes:
        name: short name, as used in configurations, run files and links; without a hyphen.
        label: display name.
        visits: display name of the visits of an edge.
        about: which rollouts these are, as the second half of a sentence.
        meaning: one sentence for the glossary.
        formula: LaTeX for the glossary; empty if the sentence is sufficient.
        shares: whether siblings may share a prior; False for a rule with biased counts, as no prior makes its intervals
            valid.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    visits: ClassVar[str]
    about: ClassVar[str]
    meaning: ClassVar[str]
    formula: ClassVar[str] = ""
    shares: ClassVar[bool] = True

    @abstractmethod
    def counted(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Return whether a rollout with a forced prefix of `launch` tokens counts for the edge it takes to `depth`."""

    def drawn(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Return whether the rollout counts for P̂ of the rest outside S_u and in the sampled objectives.

        By default only where the student sampled the token itself: these samples weight the children of a node by
        P_theta.
        """
        return natural(launch, depth)

    def value(self, sample: Sample, counts: Counts) -> Float64[np.ndarray, " N"]:
        """Return P̂ of every edge; by default the share of successes. `counts` are those of this rule."""
        return counts.mean

    def posterior(
        self, sample: Sample, counts: Counts, draws: int, rng: np.random.Generator
    ) -> Mapping[int, Float64[np.ndarray, " D"]]:
        """Return draws of P̂ for edges with a posterior that does not follow from their counts alone; default none."""
        return {}

    def interval(
        self, successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"]
    ) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
        """Return the 95% interval of P̂ from the counts of an edge alone; NaN without visits."""
        return jeffreys(successes, visits)

    def success(self, sample: Sample) -> EdgeSuccess:
        """Return counts and P̂ of every edge."""
        tree, launch, correct = sample.tree, sample.launch, sample.correct
        counts = edge_counts(tree, launch, correct, self.counted)
        return EdgeSuccess(counts, edge_counts(tree, launch, correct, self.drawn), self.value(sample, counts))
