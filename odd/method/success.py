"""Success of edges from the rollouts that count for them: counts, intervals, posteriors, node values.

An edge is identified by the node it leads to. Dimension letters as in `odd.method.logspace`. A rollout may be *forced*:
its first `launch` tokens were given, and the last of these is its launch edge; launch 0 is an initial rollout. A
`Counting` decides from launch and edge depth whether a rollout counts; see `odd.method.pooling` for the choices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer, Real
from scipy.special import betaincinv, ndtri

from odd.method.tree import Tree

Counting = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From launch and depth, whether a rollout counts for the edge it takes to that depth; the arguments broadcast."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Number of rollouts that count for each edge, and how many of them ended correct."""

    visits: Int64[np.ndarray, " N"]
    successes: Int64[np.ndarray, " N"]

    @property
    def mean(self) -> Float64[np.ndarray, " N"]:
        """P̂ = successes / visits; NaN without visits."""
        with np.errstate(invalid="ignore"):
            return self.successes / self.visits


def everywhere(launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
    """Count every rollout for every edge it takes."""
    return (launch >= 0) & (depth >= 0)


def natural(launch: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]) -> Bool[np.ndarray, "*B"]:
    """Count a rollout only below its launch edge, where the student sampled the token itself."""
    return depth > launch


def counted_by_launch(tree: Tree, launch: Integer[np.ndarray, " R"], rule: Counting) -> Bool[np.ndarray, "L T_plus_1"]:
    """Return which rollouts count at each depth, for each distinct launch; False beyond the longest of them.

    Arguments as for `edge_counts`.
    """
    launches, group = np.unique(launch, return_inverse=True)
    longest = np.zeros(len(launches), dtype=np.int64)
    np.maximum.at(longest, group, tree.lengths)
    depth = np.arange(int(tree.lengths.max(initial=0)) + 1)[None]
    return (depth <= longest[:, None]) & rule(launches[:, None], depth)


def counting(tree: Tree, launch: Integer[np.ndarray, " R"], rule: Counting) -> Bool[np.ndarray, "R T_plus_1"]:
    """Return which rollouts count for the edge they take to each depth; arguments as for `edge_counts`.

    Only for the nodes that the tree holds; the others are False.
    """
    depth = np.arange(int(tree.lengths.max(initial=0)) + 1)[None]
    return (depth <= tree.kept[:, None]) & rule(launch[:, None], depth)


def edge_counts(
    tree: Tree, launch: Integer[np.ndarray, " R"], correct: Bool[np.ndarray, " R"], rule: Counting
) -> Counts:
    """Count visits and successes of every edge.

    Args:
        tree: tree of the same rollouts, in the same order.
        launch: length of the forced prefix of each rollout.
        correct: outcome of each rollout.
        rule: which rollouts count. The root is not an edge; its entry has the rollouts that count for the root's value.
    """
    # A rollout is entered at the last node that it counts for, which adds it to all nodes above, and with the opposite
    # sign where it stops to count on the way up; the sum of the entries from a node down is its number of rollouts.
    counted, group = counted_by_launch(tree, launch, rule), np.unique(launch, return_inverse=True)[1]
    each, last = np.arange(len(launch)), counted[group, tree.kept].astype(np.int64)
    entered = [(tree.nodes_at(each, tree.kept), last, correct)]
    changes, at = np.nonzero(counted[:, :-1] != counted[:, 1:])
    for change, depth in zip(changes.tolist(), at.tolist(), strict=True):
        below = each[(group == change) & (tree.kept > depth)]
        sign = 1 if counted[change, depth] else -1
        entered.append((tree.nodes_at(below, np.array(depth)), np.full(len(below), sign), correct[below]))
    nodes, entries, won = (np.concatenate(column) for column in zip(*entered, strict=True))
    visits, successes = np.zeros((2, tree.size), dtype=np.int64)
    np.add.at(visits, nodes, entries)
    np.add.at(successes, nodes[won], entries[won])
    return Counts(tree.subtree_sums(visits), tree.subtree_sums(successes))


def random_halves(launch: Integer[np.ndarray, " R"], rng: np.random.Generator) -> Bool[np.ndarray, " R"]:
    """Split rollouts into two halves that are independent samples of the student: True for the second half.

    Rollouts launched from the same edge are assigned to the halves alternately, in random order, so both halves have
    equally many per launch edge (within one). Outcomes and sampled tokens play no role.

    Args:
        launch: edge that each rollout was launched from, 0 for initial ones.
        rng: source of randomness.
    """
    order = rng.permutation(len(launch))
    order = order[np.argsort(launch[order], kind="stable")]
    groups, starts = np.unique(launch[order], return_index=True)
    first = rng.integers(2, size=len(groups))
    group = np.searchsorted(groups, launch[order])
    second = np.empty(len(launch), dtype=bool)
    second[order] = (np.arange(len(launch)) - starts[group] + first[group]) % 2 == 1
    return second


@dataclass(frozen=True)
class Children:
    """S_u of a node, and the rollouts that took another token.

    Attributes:
        nodes: the children S_u.
        others: all other children.
        rest_visits: number of rollouts that went to one of the others.
        rest_successes: number of these that ended correct.
    """

    nodes: Int64[np.ndarray, " K"]
    others: Int64[np.ndarray, " _"]
    rest_visits: int
    rest_successes: int


def significant_children(tree: Tree, node: int, counts: Counts, drawn: Counts, n_sig: int) -> Children:
    """Return S_u, the children with at least n_sig visits, and the summed counts of all others.

    Args:
        tree: the tree.
        node: u.
        counts: counts under the pooling rule.
        drawn: counts for P̂_rest, see `odd.method.pooling.base.EdgeSuccess`.
        n_sig: minimum number of visits.
    """
    children = np.asarray(tree.children(node), dtype=np.int64)
    inside = counts.visits[children] >= n_sig
    others = children[~inside]
    return Children(children[inside], others, int(drawn.visits[others].sum()), int(drawn.successes[others].sum()))


def wilson(
    successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"], level: float = 0.95
) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
    """Compute the Wilson score interval of a success probability; NaN without visits. It holds successes / visits."""
    z2 = ndtri((1 + level) / 2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        p = successes / visits
        middle = (p + z2 / (2 * visits)) / (1 + z2 / visits)
        half = np.sqrt(z2 * (p * (1 - p) / visits + z2 / (4 * visits**2))) / (1 + z2 / visits)
        return np.asarray(np.minimum(middle - half, p)), np.asarray(np.maximum(middle + half, p))


def jeffreys(
    successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"], level: float = 0.95
) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
    """Compute the equal-tailed interval of the Jeffreys posterior Beta(S + 1/2, N - S + 1/2); NaN without visits.

    Without successes it starts at 0, without failures it ends at 1, as the data do not contradict either (Brown, Cai &
    DasGupta, Statistical Science 16, 2001).
    """
    a, b = successes + 0.5, visits - successes + 0.5
    low, high = (betaincinv(a, b, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    low, high = np.where(successes == 0, 0.0, low), np.where(successes == visits, 1.0, high)
    return np.where(visits > 0, low, np.nan), np.where(visits > 0, high, np.nan)


def posterior_draws(
    successes: Real[np.ndarray, " K"], visits: Real[np.ndarray, " K"], draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, "D K"]:
    """Draw P̂ from the Jeffreys posteriors, independently per edge; NaN without visits."""
    sample = rng.beta(successes + 0.5, visits - successes + 0.5, size=(draws, len(successes)))
    return np.where(visits > 0, sample, np.nan)


def node_value(p: Float[np.ndarray, "*#B K"], success: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B"]:
    """Compute V(u), the sum of P_theta^k P̂^k over the given children; complete if they have all the student's mass."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(p > 0, p * success, 0.0).sum(axis=-1, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class NodeValues:
    """V(u) of some nodes with its 95% interval and number of visits; NaN with 0 visits where unknown."""

    value: Float64[np.ndarray, " U"]
    low: Float64[np.ndarray, " U"]
    high: Float64[np.ndarray, " U"]
    visits: Int64[np.ndarray, " U"]


def node_values(
    nodes: Integer[np.ndarray, " U"],
    parent: Integer[np.ndarray, " N"],
    p_student: Float[np.ndarray, " N"],
    success: Float[np.ndarray, " N"],
    low: Float[np.ndarray, " N"],
    high: Float[np.ndarray, " N"],
    visits: Integer[np.ndarray, " N"],
) -> NodeValues:
    """Estimate V(u) from the children of a node, or from its own rollouts if these give a narrower interval.

    The estimate from children is their mean success weighted by P_theta. Its interval is derived from theirs, as for a
    sum of proportions, by MOVER (Zou and Donner 2008, Statistics in Medicine 27); children that were never visited may
    all fail or all succeed.

    Args:
        nodes: the nodes; those without known children use their own rollouts.
        parent: parent of every edge.
        p_student: P_theta of every edge; NaN where unknown.
        success: P̂ of every edge; NaN where unknown.
        low: lower end of the interval of P̂.
        high: upper end of the interval of P̂.
        visits: number of rollouts behind P̂.
    """
    known = np.flatnonzero((parent >= 0) & ~np.isnan(success) & (p_student > 0))
    of, size = parent[known], len(parent)
    p, p_hat = p_student[known].astype(np.float64), success[known]

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(of, weights=values, minlength=size)[nodes]

    with np.errstate(invalid="ignore", divide="ignore"):
        mass = total(p)
        covered, mean = np.minimum(1.0, mass), total(p * p_hat) / mass
        below, above = (np.sqrt(total((p * arm) ** 2)) / mass for arm in (p_hat - low[known], high[known] - p_hat))
        bottom = covered * np.maximum(0.0, mean - below)
        top = covered * np.minimum(1.0, mean + above) + 1 - covered
        narrower = top - bottom < high[nodes] - low[nodes]
    by_children = (mass > 0) & (narrower | np.isnan(success[nodes]))
    return NodeValues(
        np.where(by_children, mean, success[nodes]),
        np.where(by_children, bottom, low[nodes]),
        np.where(by_children, top, high[nodes]),
        np.where(by_children, total(visits[known]).astype(np.int64), visits[nodes]),
    )


def edge_draws(
    nodes: Sequence[int] | Integer[np.ndarray, " K"],
    counts: Counts,
    draws: int,
    rng: np.random.Generator,
    other: Mapping[int, Float64[np.ndarray, " D"]] | None = None,
) -> Float64[np.ndarray, "D K"]:
    """Draw P̂ of some edges from the posterior, one column per edge.

    Args:
        nodes: the edges.
        counts: counts under the pooling rule.
        draws: D, the number of draws.
        rng: source of randomness.
        other: draws for edges with a posterior that does not follow from their counts, see
            `odd.method.pooling.base.PoolingRule.posterior`.
    """
    index = np.asarray(nodes, dtype=np.int64)
    sample = posterior_draws(counts.successes[index], counts.visits[index], draws, rng)
    for column, node in enumerate(index.tolist()):
        if other is not None and node in other:
            sample[:, column] = other[node]
    return sample


def difficulty(rate: float) -> str:
    """Return the bin of a pass rate (method §6): easy >= 0.8, medium >= 0.25, hard > 0, and `never` at 0."""
    if rate >= 0.8:
        return "easy"
    if rate >= 0.25:
        return "medium"
    return "hard" if rate > 0 else "never"
