"""Scores anew from the children behind them: in halves of the rollouts, with shuffled success.

Dimension letters: N scores, C components of a convention (the children S_u, then the rest if it counts), padded to the
widest node; B any number of shuffles. A component that is not there has P_theta = 0 and a teacher gradient of 0, so it
takes no part.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer, Shaped

from odd.method.alignment import cosine, gain
from odd.method.gradients import ideal_gradient

PADDED = ("p", "shift", "success", "gradient", "inside")
"""Fields with a column a component."""


@dataclass(frozen=True, eq=False)
class Siblings:
    """What scores are made of.

    Attributes:
        p: student probability of each component under the convention.
        shift: teacher minus student probability, both renormalised on S_u; 0 for the rest.
        success: P̂; NaN where it is unknown or nothing is there.
        gradient: the teacher's gradient.
        inside: which components are children in S_u.
        node: number of the node that a score is at: scores of several teachers share it.
    """

    p: Float64[np.ndarray, "N C"]
    shift: Float64[np.ndarray, "N C"]
    success: Float64[np.ndarray, "N C"]
    gradient: Float64[np.ndarray, "N C"]
    inside: Bool[np.ndarray, "N C"]
    node: Int64[np.ndarray, " N"]

    def scores(self) -> "Scores":
        """The scores (method §4)."""
        return self.scores_with(self.success, *self.aim())

    def aim(self) -> tuple[Float64[np.ndarray, "N C"], Float64[np.ndarray, " N"]]:
        """What does not depend on a teacher: the ideal gradients, and the success ranges, NaN where one is unknown."""
        low = np.where(self.inside, self.success, np.inf).min(axis=1, initial=np.inf)
        high = np.where(self.inside, self.success, -np.inf).max(axis=1, initial=-np.inf)
        known = ~(self.inside & np.isnan(self.success)).any(axis=1) & self.inside.any(axis=1)
        return ideal_gradient(self.p, self.success), np.where(known, high - low, np.nan)

    def scores_with(
        self,
        success: Float64[np.ndarray, "N C"],
        ideal: Float64[np.ndarray, "N C"],
        success_range: Float64[np.ndarray, " N"],
    ) -> "Scores":
        """The scores of these teachers for an aim that is known."""
        with np.errstate(invalid="ignore"):
            advantage = np.where(self.inside, self.shift * success, 0.0).sum(axis=1)
        return Scores(
            alignment=cosine(ideal, self.gradient),
            gain=gain(ideal, self.gradient),
            advantage=np.where(np.isnan(success_range), np.nan, advantage),
            success_range=success_range,
        )

    def scores_of_nodes(self, nodes: "Siblings", which: Int64[np.ndarray, " N"]) -> "Scores":
        """The scores with the success of `nodes`: it and the ideal gradient are the same for all teachers."""
        ideal, success_range = nodes.aim()
        return self.scores_with(_rows(nodes.success, which), _rows(ideal, which), success_range[which])

    def nodes(self) -> tuple["Siblings", Int64[np.ndarray, " N"]]:
        """One score of each node, and which of them each score belongs to; all scores where teachers differ in them."""
        first, which = np.unique(self.node, return_index=True, return_inverse=True)[1:]
        columns = {name: _rows(getattr(self, name), first) for name in self.__dataclass_fields__}
        shared = all(
            np.array_equal(columns[name][which], getattr(self, name), equal_nan=name == "success")
            for name in ("p", "success", "inside")
        )
        return (Siblings(**columns), which) if shared else (self, np.arange(len(self.node)))

    def by_width(self) -> Iterator[tuple[Int64[np.ndarray, " M"], "Siblings"]]:
        """Numbers of the scores with equally many components, and these without padding: most have two of many."""
        there = self.p > 0
        widths = there.sum(axis=1)
        for width in np.unique(widths).tolist():
            rows = np.flatnonzero(widths == width)
            own = np.argsort(~there[rows], axis=1, kind="stable")[:, :width]
            columns = {n: _rows(np.take_along_axis(getattr(self, n)[rows], own, axis=1)) for n in PADDED}
            yield rows, Siblings(**columns, node=node_numbers(self.node[rows]))

    def with_success(self, success: Float[np.ndarray, "N C"]) -> "Siblings":
        """The same with other estimates of success."""
        return replace(self, success=success.astype(np.float64))

    def shuffled(self, rng: np.random.Generator) -> "Siblings":
        """The same with P̂ permuted among the siblings of each node, for all teachers alike.

        Teacher and success are then unrelated, while everything else stays: how many children there are, how likely
        each is, how far apart their success lies.
        """
        there = self.p > 0
        keys = rng.random((int(self.node.max(initial=-1)) + 1, there.shape[1]))[self.node]
        # components that are there come first in their own order and in the drawn one
        drawn = np.argsort(np.where(there, keys, 2.0), axis=1)
        own = np.argsort(~there, axis=1, kind="stable")
        success = np.full_like(self.success, np.nan)
        np.put_along_axis(success, own, np.take_along_axis(self.success, drawn, axis=1), axis=1)
        return self.with_success(success)


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of N teachers and nodes, or B × N of them; NaN where undefined."""

    alignment: Float[np.ndarray, "*B N"]
    gain: Float[np.ndarray, "*B N"]
    advantage: Float[np.ndarray, "*B N"]
    success_range: Float[np.ndarray, "*B N"]

    @property
    def signal(self) -> Float[np.ndarray, "*B N"]:
        """Success range × cosine, what the selective oracle adds up (table 2); 0 where children succeed alike."""
        return np.where(self.success_range == 0, 0.0, self.success_range * self.alignment)


def _rows(array: Shaped[np.ndarray, "N *C"], which: Int64[np.ndarray, " M"] | slice = slice(None)) -> np.ndarray:  # noqa: F821
    """Some rows, kept column by column in memory: sums over a few components are then sums of long columns."""
    return np.ascontiguousarray(array.T[..., which]).T


def node_numbers(*keys: Integer[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """Numbers from 0 for the distinct combinations of some columns, such as question and node."""
    numbers = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        values, own = np.unique(key, return_inverse=True)
        numbers = np.unique(numbers * len(values) + own, return_inverse=True)[1]
    return numbers.astype(np.int64)
