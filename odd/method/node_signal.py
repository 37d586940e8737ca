"""The distillation signal of teachers at one node, reduced to its children S_u by a convention (method §4).

In a `Convention`, `baseline` selects gradients over the whole vocabulary (`full`) or distributions renormalized on S_u
(`children`), and `rest` whether everything outside S_u is one more child (`bucket`). Dimension letters as in
`odd.method.logspace`; C is the number of components of a convention: K, or K + 1 with the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Integer

from odd.method.conventions import Baseline, Rest
from odd.method.logspace import coarsen, restrict, soften
from odd.method.objectives import Objective, Rollouts
from odd.method.objectives.base import NOT_KNOWN, Taken
from odd.method.sparse_rows import SparseRow, read_rows

NodeRows = Mapping[float, SparseRow]
"""Rows of a node by softening temperature, from `odd.method.sparse_rows.read_rows`."""


class Reduced(NamedTuple):
    """A node as a small vocabulary: S_u, and the rest as last token if the convention includes it."""

    log_p: Float64[np.ndarray, " C"]
    log_q: Float64[np.ndarray, "M C"]
    visits: Float64[np.ndarray, " C"] | None
    successes: Float64[np.ndarray, " C"] | None


class NodeSignal:
    """The distillation signal of M teachers at one node.

    Args:
        rows: sparse rows of the node.
        rollouts: rollouts through the node, for the objectives that need them; None: there are none.
    """

    def __init__(self, rows: NodeRows, rollouts: Rollouts | None = None) -> None:
        """Store the rows and rollouts; gradients are computed on demand."""
        self.rows, self.row, self.rollouts = rows, rows[1.0], rollouts
        self._reduced: dict[tuple[bytes, Rest], Reduced] = {}

    @classmethod
    def of(
        cls,
        log_p: Float[np.ndarray, " V"],
        log_q: Float[np.ndarray, "M V"],
        rollouts: Rollouts | None = None,
        objectives: Sequence[Objective] = (),
    ) -> "NodeSignal":
        """Build from distributions over the whole vocabulary; a teacher's -inf is unknown."""
        return cls(read_rows(log_p, log_q, None, objectives), rollouts)

    def at(self, objective: Objective, support: Integer[np.ndarray, " K"]) -> Float64[np.ndarray, "M K"]:
        """Return every teacher's ascent direction at the given tokens."""
        return objective.at(self.rows, support, self.rollouts)

    def divergences(self, k: int) -> dict[str, Float64[np.ndarray, " M"]]:
        """Return divergences of each teacher from the student, and the overlap of their k most probable tokens."""
        names = (f"overlap_top{k}", f"teacher_mass_student_top{k}", f"student_mass_teacher_top{k}")
        return asdict(self.row.divergences()) | dict(zip(names, self.row.compare_top(k), strict=True))

    def student(self, support: Integer[np.ndarray, " K"], baseline: Baseline, rest: Rest) -> Float64[np.ndarray, " C"]:
        """Return P_theta of the components of a convention, the first argument of `gradients.ideal_gradient`.

        With a bucket the last entry is P_rest and the entries sum to 1.
        """
        if rest == "off" and baseline == "full":
            return np.exp(self.row.at(support)[0])
        return np.exp(self.reduced(support, rest).log_p)

    def teachers(
        self, support: Integer[np.ndarray, " K"], baseline: Baseline, rest: Rest
    ) -> Float64[np.ndarray, "M K"]:
        """Return P_te of the children under a convention; NaN where it is unknown, as renormalised ones are then."""
        if rest == "off" and baseline == "children":
            log_q = self.reduced(support, rest).log_q
            log_q = np.where((self.row.at(support)[1] > -np.inf).all(axis=1, keepdims=True), log_q, -np.inf)
        else:
            log_q = self.row.at(support)[1]
        return np.where(log_q > -np.inf, np.exp(log_q), np.nan)

    def components(
        self, objective: Objective, support: Integer[np.ndarray, " K"], baseline: Baseline, rest: Rest
    ) -> Float64[np.ndarray, "M C"]:
        """Return every teacher's gradient over S_u, and the rest as last component if `rest` is `bucket`.

        `full`: the whole-vocabulary gradient at S_u; the rest is the sum of all other components, i.e. minus the sum
        over S_u, because a gradient in logits sums to 0. `children`: the objective is recomputed on both distributions,
        renormalized on S_u or coarsened to S_u and the rest, with visits and rewards reduced likewise.
        """
        if baseline == "full":
            inside = self.at(objective, support)
            return inside if rest == "off" else np.append(inside, -inside.sum(axis=1, keepdims=True), axis=1)
        node = self.reduced(support, rest)
        return objective.gradient(node.log_p, node.log_q, self.taken(objective, support, rest))

    def taken(self, objective: Objective, support: Integer[np.ndarray, " K"], rest: Rest) -> Taken:
        """Return counts and rewards-to-go of S_u, and of the rest as last entry if it is a bucket."""
        if self.rollouts is None:
            return NOT_KNOWN
        counts = self.reduced(support, rest)
        return Taken(counts.visits, counts.successes, self.rollouts.reduced_to_go(objective, support, rest))

    def reduced(self, support: Integer[np.ndarray, " K"], rest: Rest) -> Reduced:
        """Return the node renormalized on S_u, or coarsened to S_u and the rest; cached for other objectives."""
        key = (support.tobytes(), rest)
        if key not in self._reduced:
            log_p, log_q = self._coarse(support) if rest == "bucket" else self._restricted(support)
            counts = (None, None) if self.rollouts is None else self.rollouts.reduced(support, rest)
            self._reduced[key] = Reduced(log_p, log_q, *counts)
        return self._reduced[key]

    def _restricted(self, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = self.row.index(support)
        return restrict(self.row.log_p, at), restrict(self.row.log_q, at)

    def _coarse(self, support: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.row.sums is None:
            at = self.row.index(support)
            return coarsen(self.row.log_p, at), coarsen(self.row.log_q, at)
        (log_p, log_q), (own, theirs) = self.row.at(support), self.row.outside(support)
        with np.errstate(divide="ignore"):  # the mass outside may be 0
            return np.append(log_p, np.log(own)), np.append(log_q, np.log(theirs)[:, None], axis=1)


def softened_at(
    rows: NodeRows, tokens: Integer[np.ndarray, " K"], temperature: float
) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, "M K"]]:
    """Return log-probabilities of tokens under student and teachers at the temperature of some objective."""
    if temperature in rows:
        return rows[temperature].at(tokens)
    plain = rows[1.0]  # without sums, the row keeps the whole vocabulary
    at = plain.index(tokens)
    return soften(plain.log_p, temperature)[at], soften(plain.log_q, temperature)[:, at]
