"""Counts as on-policy, but backs up success through the tree, which uses all rollouts without bias (method §5).

The strata of forced and unforced rollouts that leave a node are weighted by the student's probabilities.
"""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float64, Integer

from odd.method.gradients import COVERED
from odd.method.pooling.base import Sample
from odd.method.pooling.on_policy import OnPolicy
from odd.method.success import Counts
from odd.method.tree import Tree


class Stratified(OnPolicy):
    """P̂ of an edge u -> v with launched children of v is V(v), backed up from them.

    V(v) is the sum of P_theta P̂ over the launched children, with P̂ backed up recursively, plus the remaining mass times
    the mean success of the unforced rollouts that took another child of v. All other edges keep their on-policy mean,
    as do edges where a stratum with mass has no rollouts or a P_theta is unknown.
    """

    name = "stratified"
    label = "stratified"
    about = "a targeted rollout counts from its forced token onwards; success is backed up"
    meaning = (
        "Forced and free rollouts are weighted by the student's probabilities, so earlier nodes use all of them "
        "without that bias (F: the forced children)."
    )
    formula = (
        r"\begin{aligned} V(v) = {}& \sum_{k \in F} P_\theta^k \hat P^k \\ "
        r"& + \Big(1 - \sum_{k \in F} P_\theta^k\Big)\, \hat P_{\text{free}} \end{aligned}"
    )

    def value(self, sample: Sample, counts: Counts) -> Float64[np.ndarray, " N"]:
        """Return P̂ of every edge, backed up where possible."""
        value = counts.mean
        for node, backed_up in _backup(sample, counts, lambda s, n: np.array([s / n])).items():
            value[node] = backed_up[0]
        return value

    def posterior(
        self, sample: Sample, counts: Counts, draws: int, rng: np.random.Generator
    ) -> Mapping[int, Float64[np.ndarray, " D"]]:
        """Return draws of the backed-up edges: the Beta draws of each stratum, propagated through the backup."""
        return _backup(sample, counts, lambda s, n: rng.beta(s + 0.5, n - s + 0.5, size=draws))


def launch_edges(tree: Tree, launch: Integer[np.ndarray, " R"]) -> Bool[np.ndarray, " N"]:
    """Mark the launch edges: those of the last forced token of some rollout."""
    launched = np.zeros(tree.size, dtype=bool)
    targeted = np.flatnonzero(launch > 0)
    launched[tree.nodes_at(targeted, launch[targeted])] = True
    return launched


def _backup(
    sample: Sample, counts: Counts, estimate: Callable[[int, int], Float64[np.ndarray, " D"]]
) -> dict[int, Float64[np.ndarray, " D"]]:
    """Compute backed-up values by edge, deepest first; `estimate(successes, visits)` gives the value of a stratum."""
    tree, launched = sample.tree, launch_edges(sample.tree, sample.launch)
    values: dict[int, np.ndarray] = {}
    for node in np.unique(tree.parent[launched])[::-1].tolist():
        children = np.asarray(tree.children(node))
        enriched, others = children[launched[children]], children[~launched[children]]
        mass = sample.p_student[enriched].astype(np.float64)
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
