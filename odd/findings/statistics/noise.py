"""The noise floor: scores under permutations of success among siblings.

Dimension letters: N scores, R scores and M nodes with the same number of children, K distinct orders of their success,
B shuffles, S sets of scores, T terms.

A node with few children has few orders, and each shuffle draws one per node, so the scores under each order and the
drawn orders determine all shuffles. Sums over many scores are then matrix products: the sum of each node under each
order, times the nodes that drew it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int32, Int64

from odd.findings.statistics.siblings import Scores, Siblings

if TYPE_CHECKING:
    from scipy import sparse

MOST = 2_000_000
"""Maximum number of shuffled scores kept at once."""
NAMES = tuple(one.name for one in fields(Scores))


@dataclass(frozen=True, eq=False)
class _Part:
    """The scores of nodes with the same number of children.

    Attributes:
        rows: numbers of the scores, (R,).
        node: node of each score, 0 to M - 1, (R,).
        orders: scores under each order of success, (K, R).
        drawn: order drawn for each node in each shuffle, (B, M).
    """

    rows: Int64[np.ndarray, " R"]
    node: Int64[np.ndarray, " R"]
    orders: Scores
    drawn: Int32[np.ndarray, "B M"]


@dataclass(frozen=True, eq=False)
class NoiseFloor:
    """B × N scores under shuffled success.

    Attributes:
        count: number of scores, N.
        draws: number of shuffles, B.
        parts: scores by number of children.
    """

    count: int
    draws: int
    parts: tuple[_Part, ...]

    def scores(self) -> Scores:
        """Expand to float32 arrays of shape (B, N)."""
        floor = {name: np.empty((self.draws, self.count), np.float32) for name in NAMES}
        for part in self.parts:
            drawn = part.drawn[:, part.node] * len(part.rows) + np.arange(len(part.rows))
            for name in NAMES:
                table = getattr(part.orders, name)
                # some scores, such as the success range, are the same in all orders
                same = all(np.array_equal(table[0], row, equal_nan=True) for row in table)
                for draw in range(self.draws):
                    floor[name][draw, part.rows] = table[0] if same else table.take(drawn[draw])
        return Scores(**floor)

    def sums(
        self, terms: Callable[[Scores], Sequence[Float[np.ndarray, "K R"]]], sets: Sequence[Int64[np.ndarray, " _"]]
    ) -> Float64[np.ndarray, "B T S"]:
        """Sums over sets of scores in each shuffle.

        Args:
            terms: computes T numbers per score, none of them NaN.
            sets: numbers of the scores of each set.
        """
        nothing = Scores(*(np.empty((1, 0), np.float32) for _ in NAMES))
        found = np.zeros((self.draws, len(terms(nothing)), len(sets)))
        member = np.zeros((len(sets), self.count), bool)
        for number, scores in enumerate(sets):
            member[number, scores] = True
        for part in self.parts:
            found += _sums(part, np.stack(terms(part.orders), axis=-1, dtype=np.float32), member[:, part.rows])
        return found


def _sums(
    part: _Part, terms: Float32[np.ndarray, "K R T"], member: Bool[np.ndarray, "S R"]
) -> Float64[np.ndarray, "B T S"]:
    """Sums over the scores of a part."""
    of_node = [_sum_by_node(part.node, one, part.drawn.shape[1]) for one in member]
    found = np.zeros((len(part.drawn), len(member), terms.shape[2]))
    for order, values in enumerate(terms):
        drew = part.drawn == order
        any_did = drew.any(axis=1)
        sums = np.concatenate([of_set @ values for of_set in of_node], axis=1)
        found[any_did] += (drew[any_did].astype(np.float32) @ sums).reshape(-1, *found.shape[1:])
    return found.swapaxes(1, 2)


def _sum_by_node(node: Int64[np.ndarray, " R"], member: Bool[np.ndarray, " R"], nodes: int) -> "sparse.csr_array":
    """Matrix that sums the member scores of each node, (M, R)."""
    from scipy import sparse  # takes 0.25 s to import, and a run does not need it

    scores = np.flatnonzero(member)
    return sparse.csr_array((np.ones(len(scores), np.float32), (node[scores], scores)), shape=(nodes, len(node)))


def noise_floor(
    siblings: Siblings, shuffles: int, rng: np.random.Generator, undefined: Bool[np.ndarray, " N"] | None = None
) -> NoiseFloor:
    """Compute scores under permutations of success among siblings.

    Args:
        siblings: inputs of the scores.
        shuffles: number of permutations; reduced if there are many scores.
        rng: generator.
        undefined: scores without cosine and gain, also under any permutation; None if there are none.
    """
    count = len(siblings.node)
    draws = min(shuffles, max(20, MOST // max(1, count)))
    parts = []
    for rows, narrow in siblings.by_width():
        nodes, which = narrow.nodes()
        orders = math.factorial(narrow.p.shape[1])
        shape = draws, int(narrow.node.max(initial=-1)) + 1
        if orders <= draws:  # enumerate all orders: each node draws one
            drawn = rng.integers(orders, size=shape, dtype=np.int32)
            every = (nodes.success[:, order] for order in permutations(range(narrow.p.shape[1])))
        else:
            drawn = np.broadcast_to(np.arange(draws, dtype=np.int32)[:, None], shape)
            every = (nodes.shuffled(rng).success for _ in range(draws))
        scores = [narrow.scores_of_nodes(nodes.with_success(success), which) for success in every]
        tables = {name: np.stack([getattr(one, name) for one in scores]).astype(np.float32) for name in NAMES}
        if undefined is not None:
            for name in ("alignment", "gain"):
                tables[name][:, undefined[rows]] = np.nan
        parts.append(_Part(rows, narrow.node, Scores(**tables), drawn))
    return NoiseFloor(count, draws, tuple(parts))
