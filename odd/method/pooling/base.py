"""What a pooling rule is: which rollouts count for an edge, and what they say of its success (method §5).

An edge is named by the node it leads to. Dimension letters as in `odd.method.logspace`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, Float64, Integer, Real

from odd.method.success import Counts, edge_counts, jeffreys, natural
from odd.method.tree import Tree


@dataclass(frozen=True, eq=False)
class Sample:
    """The rollouts of one question on its tree.

    Attributes:
        tree: of these rollouts, in the same order; it may have nodes that none of them visits.
        launch: length of each rollout's forced prefix; 0 for initial rollouts.
        correct: outcome of each rollout.
        p_student: P_theta of each edge; NaN where unknown.
    """

    tree: Tree
    launch: Integer[np.ndarray, " R"]
    correct: Bool[np.ndarray, " R"]
    p_student: Float[np.ndarray, " N"]

    def part(self, chosen: Bool[np.ndarray, " R"]) -> "Sample":
        """Only some of the rollouts, on the nodes of the whole tree."""
        tree = replace(self.tree, rollout_nodes=self.tree.rollout_nodes[chosen])
        return Sample(tree, self.launch[chosen], self.correct[chosen], self.p_student)


@dataclass(frozen=True, eq=False)
class EdgeSuccess:
    """What a rule says of every edge.

    Attributes:
        counts: rollouts that count for the edge.
        drawn: rollouts in which the edge was taken as the student would take it: P̂ of what lies outside S_u is taken
            from these, and the sampled objectives average over them.
        value: P̂; NaN where unknown.
    """

    counts: Counts
    drawn: Counts
    value: Float64[np.ndarray, " N"]


class PoolingRule(ABC):
    """Which rollouts count for an edge, and what they say of its success.

    A rule is stateless. Whether a rollout counts may depend on the length of its forced prefix and on the depth of the
    edge alone, so that it can be asked of rollouts that are not part of a tree as well.

    Attributes:
        name: short name, as used in configurations, run files and links; without a hyphen.
        label: its name in words.
        visits: what the visits of an edge are called.
        about: which rollouts these are, as the second half of a sentence.
        meaning: one sentence for the glossary.
        formula: LaTeX for the glossary; empty where the sentence says it all.
        shares: whether siblings may share a prior; not under a rule whose counts are biased, as no prior makes its
            intervals honest.
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
        """Whether a rollout with a forced prefix of `launch` tokens counts for the edge it takes to `depth`."""

    def drawn(self, launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
        """Whether it counts for P̂ of what lies outside S_u, and in the sampled objectives.

        Where the student drew the token itself, unless the rule says otherwise: these draws weight the children of a
        node as P_theta does.
        """
        return natural(launch, depth)

    def value(self, sample: Sample, counts: Counts) -> Float64[np.ndarray, " N"]:
        """P̂ of every edge; the share of successes unless the rule says otherwise. `counts` are those of the rule."""
        return counts.mean

    def posterior(
        self, sample: Sample, counts: Counts, draws: int, rng: np.random.Generator
    ) -> Mapping[int, Float64[np.ndarray, " D"]]:
        """Posterior draws of P̂ of those edges whose posterior is not that of their counts alone; none by default."""
        return {}

    def interval(
        self, successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"]
    ) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
        """95% interval of P̂ from the counts of an edge alone; NaN without visits."""
        return jeffreys(successes, visits)

    def success(self, sample: Sample) -> EdgeSuccess:
        """Counts and P̂ of every edge."""
        tree, launch, correct = sample.tree, sample.launch, sample.correct
        counts = edge_counts(tree, launch, correct, self.counted)
        return EdgeSuccess(counts, edge_counts(tree, launch, correct, self.drawn), self.value(sample, counts))
