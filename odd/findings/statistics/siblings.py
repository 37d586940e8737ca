"""Recompute scores from the children of their nodes, for example with shuffled success.

Dimension letters: N scores, C components of a convention (the children S_u, then the rest if it counts), padded to the
widest node; B any number of shuffles. Padding has P_theta = 0 and a teacher gradient of 0, so it contributes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer, Shaped

from odd.method.alignment import cosine, gain
from odd.method.gradients import ideal_gradient

PADDED = ("p", "shift", "success", "gradient", "inside")
"""Fields with one column per component."""


@dataclass(frozen=True, eq=False)
class Siblings:
    """Inputs of scores.

    Attributes:
        p: student probability of each component under the convention.
        shift: teacher minus student probability.
        success: P̂; NaN if unknown, and in padding.
        gradient: the teacher's gradient.
        inside: which components are children in S_u.
        node: node number of each score; scores of several teachers share a node.
        rest: P̂ of everything that the components leave out; NaN: nothing, and `shift` sums to 0.
    """

    p: Float64[np.ndarray, "N C"]
    shift: Float64[np.ndarray, "N C"]
    success: Float64[np.ndarray, "N C"]
    gradient: Float64[np.ndarray, "N C"]
    inside: Bool[np.ndarray, "N C"]
    node: Int64[np.ndarray, " N"]
    rest: Float64[np.ndarray, " N"]

    def scores(self) -> "Scores":
        """The scores (method §4)."""
        return self.scores_with(self.success, self.aim())

    def aim(self) -> "Aim":
        """The parts of the scores that do not depend on the teacher."""
        low = np.where(self.inside, self.success, np.inf).min(axis=1, initial=np.inf)
        high = np.where(self.inside, self.success, -np.inf).max(axis=1, initial=-np.inf)
        known = ~(self.inside & np.isnan(self.success)).any(axis=1) & self.inside.any(axis=1)
        ideal = ideal_gradient(self.p, self.success)
        left_out = ~np.isnan(self.rest)
        whole = ideal
        if left_out.any():
            whole = np.where(left_out[:, None], ideal_gradient(self.p, self.success, self.rest), ideal)
        return Aim(ideal, whole, np.where(known, high - low, np.nan))

    def scores_with(self, success: Float64[np.ndarray, "N C"], aim: "Aim") -> "Scores":
        """Scores with given success, and what follows from it for all teachers."""
        with np.errstate(invalid="ignore"):
            of_rest = np.nan_to_num(self.rest)[:, None]
            advantage = np.where(self.p > 0, self.shift * (success - of_rest), 0.0).sum(axis=1)
        return Scores(
            alignment=cosine(aim.ideal, self.gradient),
            gain=gain(aim.whole, self.gradient),
            advantage=np.where(np.isnan(aim.success_range), np.nan, advantage),
            success_range=aim.success_range,
        )

    def scores_of_nodes(self, nodes: "Siblings", which: Int64[np.ndarray, " N"]) -> "Scores":
        """Scores with success and ideal gradients of `nodes`, which all teachers share; `which` from `nodes()`."""
        aim = nodes.aim()
        rows = Aim(_rows(aim.ideal, which), _rows(aim.whole, which), aim.success_range[which])
        return self.scores_with(_rows(nodes.success, which), rows)

    def nodes(self) -> tuple["Siblings", Int64[np.ndarray, " N"]]:
        """One row per node, and the row of each score; all rows if teachers differ in p, success or children."""
        first, which = np.unique(self.node, return_index=True, return_inverse=True)[1:]
        columns = {name: _rows(getattr(self, name), first) for name in self.__dataclass_fields__}
        shared = all(
            np.array_equal(columns[name][which], getattr(self, name), equal_nan=name in ("success", "rest"))
            for name in ("p", "success", "inside", "rest")
        )
        return (Siblings(**columns), which) if shared else (self, np.arange(len(self.node)))

    def by_width(self) -> Iterator[tuple[Int64[np.ndarray, " M"], "Siblings"]]:
        """Group scores by number of components and drop the padding: yield their numbers and rows. Most have two."""
        there = self.p > 0
        widths = there.sum(axis=1)
        for width in np.unique(widths).tolist():
            rows = np.flatnonzero(widths == width)
            own = np.argsort(~there[rows], axis=1, kind="stable")[:, :width]
            columns = {n: _rows(np.take_along_axis(getattr(self, n)[rows], own, axis=1)) for n in PADDED}
            yield rows, Siblings(**columns, node=node_numbers(self.node[rows]), rest=self.rest[rows])

    def with_success(self, success: Float[np.ndarray, "N C"]) -> "Siblings":
        """Copy with other estimates of success."""
        return replace(self, success=success.astype(np.float64))

    def shuffled(self, rng: np.random.Generator) -> "Siblings":
        """Copy with P̂ permuted among the siblings of each node, identically for all teachers.

        Teacher and success are then unrelated, while the number of children, their probabilities and the spread of
        their success stay the same.
        """
        there = self.p > 0
        keys = rng.random((int(self.node.max(initial=-1)) + 1, there.shape[1]))[self.node]
        # both orders put components before padding
        drawn = np.argsort(np.where(there, keys, 2.0), axis=1)
        own = np.argsort(~there, axis=1, kind="stable")
        success = np.full_like(self.success, np.nan)
        np.put_along_axis(success, own, np.take_along_axis(self.success, drawn, axis=1), axis=1)
        return self.with_success(success)


@dataclass(frozen=True, eq=False)
class Aim:
    """What the scores of all teachers at a node share.

    Attributes:
        ideal: ideal gradient, relative to the mean of the components.
        whole: ideal gradient, relative to the mean of all tokens.
        success_range: NaN if a success is unknown.
    """

    ideal: Float64[np.ndarray, "N C"]
    whole: Float64[np.ndarray, "N C"]
    success_range: Float64[np.ndarray, " N"]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of N (node, teacher) pairs, or B × N of them; NaN where undefined."""

    alignment: Float[np.ndarray, "*B N"]
    gain: Float[np.ndarray, "*B N"]
    advantage: Float[np.ndarray, "*B N"]
    success_range: Float[np.ndarray, "*B N"]

    @property
    def signal(self) -> Float[np.ndarray, "*B N"]:
        """Success range × cosine, which the selective oracle averages (table 2); 0 if the success range is 0."""
        return np.where(self.success_range == 0, 0.0, self.success_range * self.alignment)


def _rows(array: Shaped[np.ndarray, "N *C"], which: Int64[np.ndarray, " M"] | slice = slice(None)) -> np.ndarray:  # noqa: F821
    """Select rows, in column-major memory order, so that sums over a few components add long columns."""
    return np.ascontiguousarray(array.T[..., which]).T


def node_numbers(*keys: Integer[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """Number the distinct combinations of columns, such as question and node, from 0."""
    numbers = np.zeros(len(keys[0]), dtype=np.int64)
    for key in keys:
        values, own = np.unique(key, return_inverse=True)
        numbers = np.unique(numbers * len(values) + own, return_inverse=True)[1]
    return numbers.astype(np.int64)
