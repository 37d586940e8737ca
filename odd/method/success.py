"""Success of every edge from the rollouts that count for it: counts, intervals, posteriors, the stratified backup.

An edge is named by the node it leads to. Dimension letters as in `odd.method.logspace`. A rollout may be *forced*: its
first `forced` tokens were given, the last of them is its launch edge; 0 means an initial rollout. Which edges it
counts for is the pooling rule (method §4, §5):

* `on_policy`: its launch edge and those below, where it is an honest sample of the student;
  initial rollouts count everywhere;
* `natural`: below its launch edge only, where the student itself drew the token: what `sampled_reverse_kl` and
  `dr_grpo` average over (`minillm` asks what follows a token, not how often it is drawn: `on_policy`);
* `pooled`: everywhere. The paper's text; biases ancestors towards what was forced.

`stratified` is no count but a backup over the tree: it weights the strata of forced and un-forced rollouts by the
student's own probabilities, and so uses all of them without that bias.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer, Real
from scipy.special import betaincinv, ndtri

from odd.method.tree import Tree

COVERED = 1e-6
"""Student mass outside the launched children that is only rounding of float32 probabilities."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Rollouts that count for each edge, and how many of them ended correct."""

    visits: Int64[np.ndarray, " N"]
    successes: Int64[np.ndarray, " N"]

    @property
    def mean(self) -> Float64[np.ndarray, " N"]:
        """P̂ = successes / visits; NaN without visits."""
        with np.errstate(invalid="ignore"):
            return self.successes / self.visits


def counting(
    tree: Tree, forced: Integer[np.ndarray, " R"], rule: Literal["on_policy", "pooled", "natural"]
) -> Bool[np.ndarray, "R T_plus_1"]:
    """Which rollouts count for the edge they take to each depth; arguments as for `edge_counts`."""
    counted = tree.rollout_nodes >= 0
    if rule == "pooled":
        return counted
    depth, launch = np.arange(counted.shape[1]), forced[:, None]
    return counted & ((depth > launch) if rule == "natural" else (depth >= launch))


def edge_counts(
    tree: Tree,
    forced: Integer[np.ndarray, " R"],
    correct: Bool[np.ndarray, " R"],
    rule: Literal["on_policy", "pooled", "natural"],
) -> Counts:
    """Visits and successes of every edge under a pooling rule.

    Args:
        tree: of the same rollouts, in the same order.
        forced: number of leading tokens that were forced.
        correct: outcome.
        rule: see the module. The root is no edge; its entry holds the rollouts that count for the root's value.
    """
    nodes, counted = tree.rollout_nodes, counting(tree, forced, rule)
    visits = np.bincount(nodes[counted], minlength=tree.size)
    won = counted & correct[:, None]
    return Counts(visits, np.bincount(nodes[won], minlength=tree.size))


def launch_edges(tree: Tree, forced: Integer[np.ndarray, " R"]) -> Bool[np.ndarray, " N"]:
    """Mark the edges that some rollout was forced through last (the enriched ones)."""
    launched = np.zeros(tree.size, dtype=bool)
    targeted = np.flatnonzero(forced > 0)
    launched[tree.rollout_nodes[targeted, forced[targeted]]] = True
    return launched


def random_halves(launch: Integer[np.ndarray, " R"], rng: np.random.Generator) -> Bool[np.ndarray, " R"]:
    """Split rollouts into two halves that are independent samples of the student: True for the second one.

    Rollouts launched from the same edge are dealt in turn, in random order, so that every edge that was enriched has
    equally many in both (give or take one). Outcomes and what was drawn play no part in it.

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
    """S_u of a node, and the rollouts that left it by another token."""

    nodes: Int64[np.ndarray, " K"]
    rest_visits: int
    rest_successes: int


def significant_children(tree: Tree, node: int, counts: Counts, rest: Counts, n_sig: int) -> Children:
    """S_u: the children with at least n_sig visits; the counts of all others are joined.

    Args:
        tree: the tree.
        node: u.
        counts: under the pooling rule; `on_policy` for `stratified`.
        rest: counts that P̂_rest is taken from. `natural` for the unbiased rules, because there the student's draws
            weight the joined children as P_theta does; `pooled` for `pooled`.
        n_sig: visits needed.
    """
    children = np.asarray(tree.children(node), dtype=np.int64)
    inside = counts.visits[children] >= n_sig
    others = children[~inside]
    return Children(children[inside], int(rest.visits[others].sum()), int(rest.successes[others].sum()))


def wilson(
    successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"], level: float = 0.95
) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
    """Wilson score interval of a success probability; NaN without visits."""
    z2 = ndtri((1 + level) / 2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        p = successes / visits
        middle = (p + z2 / (2 * visits)) / (1 + z2 / visits)
        half = np.sqrt(z2 * (p * (1 - p) / visits + z2 / (4 * visits**2))) / (1 + z2 / visits)
    return np.asarray(middle - half), np.asarray(middle + half)


def jeffreys(
    successes: Real[np.ndarray, "*B"], visits: Real[np.ndarray, "*B"], level: float = 0.95
) -> tuple[Float64[np.ndarray, "*B"], Float64[np.ndarray, "*B"]]:
    """Equal-tailed interval of the Jeffreys posterior Beta(S + 1/2, N - S + 1/2); NaN without visits."""
    a, b = successes + 0.5, visits - successes + 0.5
    low, high = (betaincinv(a, b, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    return np.where(visits > 0, low, np.nan), np.where(visits > 0, high, np.nan)


def posterior_draws(
    successes: Real[np.ndarray, " K"], visits: Real[np.ndarray, " K"], draws: int, rng: np.random.Generator
) -> Float64[np.ndarray, "D K"]:
    """Draws of P̂ from the Jeffreys posteriors, independent between edges; NaN without visits."""
    sample = rng.beta(successes + 0.5, visits - successes + 0.5, size=(draws, len(successes)))
    return np.where(visits > 0, sample, np.nan)


def node_value(p: Float[np.ndarray, "*#B K"], success: Float[np.ndarray, "*#B K"]) -> Float64[np.ndarray, "*#B"]:
    """V(u) = sum of P_theta^k P̂^k over the children given; complete if they hold all of the student's mass."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(p > 0, p * success, 0.0).sum(axis=-1, dtype=np.float64))


def stratified(
    tree: Tree, counts: Counts, launched: Bool[np.ndarray, " N"], probability: Float[np.ndarray, " N"]
) -> Float64[np.ndarray, " N"]:
    """P̂ of every edge by the backup of method §5.

    An edge u -> v with launched children of v gets V(v): the sum of P_theta P̂ over these, their P̂ backed up likewise,
    plus the remaining mass times the mean success of the un-forced rollouts that left v by another child. All other
    edges keep their on-policy mean, as do those where a stratum with mass has no rollout or a P_theta is unknown.

    Args:
        tree: the tree.
        counts: on-policy counts.
        launched: see `launch_edges`.
        probability: P_theta of each edge; read at launched edges only, NaN where unknown.
    """
    value = counts.mean
    for node, backed_up in _backup(tree, counts, launched, probability, lambda s, n: np.array([s / n])).items():
        value[node] = backed_up[0]
    return value


def stratified_draws(
    tree: Tree,
    counts: Counts,
    launched: Bool[np.ndarray, " N"],
    probability: Float[np.ndarray, " N"],
    draws: int,
    rng: np.random.Generator,
) -> dict[int, Float64[np.ndarray, " D"]]:
    """Posterior draws of the edges that `stratified` backs up, each stratum's Beta draws propagated through the backup.

    Other edges have their on-policy posterior: see `edge_draws`. Arguments as for `stratified`.
    """
    return _backup(tree, counts, launched, probability, lambda s, n: rng.beta(s + 0.5, n - s + 0.5, size=draws))


def edge_draws(
    nodes: Sequence[int] | Integer[np.ndarray, " K"],
    counts: Counts,
    draws: int,
    rng: np.random.Generator,
    backed_up: dict[int, Float64[np.ndarray, " D"]] | None = None,
) -> Float64[np.ndarray, "D K"]:
    """Posterior draws of P̂ of some edges, one column an edge.

    Args:
        nodes: the edges.
        counts: under the pooling rule.
        draws: D.
        rng: source of randomness.
        backed_up: result of `stratified_draws`, with on-policy counts, for the stratified rule.
    """
    index = np.asarray(nodes, dtype=np.int64)
    sample = posterior_draws(counts.successes[index], counts.visits[index], draws, rng)
    for column, node in enumerate(index.tolist()):
        if backed_up is not None and node in backed_up:
            sample[:, column] = backed_up[node]
    return sample


def _backup(
    tree: Tree,
    counts: Counts,
    launched: Bool[np.ndarray, " N"],
    probability: Float[np.ndarray, " N"],
    estimate: Callable[[int, int], Float64[np.ndarray, " D"]],
) -> dict[int, Float64[np.ndarray, " D"]]:
    """Backed-up values by edge, deepest first; `estimate(successes, visits)` is a stratum's own value."""
    values: dict[int, np.ndarray] = {}
    for node in np.unique(tree.parent[launched])[::-1].tolist():
        children = np.asarray(tree.children(node))
        enriched, others = children[launched[children]], children[~launched[children]]
        mass = probability[enriched].astype(np.float64)
        remaining = 1 - mass.sum()
        visits, successes = int(counts.visits[others].sum()), int(counts.successes[others].sum())
        if np.isnan(remaining) or (visits == 0 and remaining > COVERED):
            continue
        strata = [
            values[child] if child in values else estimate(int(counts.successes[child]), int(counts.visits[child]))
            for child in enriched.tolist()
        ]
        values[node] = mass @ np.stack(strata)
        if visits:
            values[node] += max(remaining, 0.0) * estimate(successes, visits)
    return values


def difficulty(rate: float) -> str:
    """The bin of a pass rate (method §6): easy >= 0.8, medium >= 0.25, hard > 0, and `never` at 0."""
    if rate >= 0.8:
        return "easy"
    if rate >= 0.25:
        return "medium"
    return "hard" if rate > 0 else "never"
