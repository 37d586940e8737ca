"""Path nodes restricted to their children S_u: the teachers' signal there, and P̂ with its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis.question_tree import QuestionTree
from odd.method.conventions import REST, Baseline, Rest
from odd.method.node_signal import NodeSignal
from odd.method.objectives import Objective
from odd.method.objectives.base import Taken
from odd.method.pooling import EdgeSuccess
from odd.method.reward_to_go import RewardToGo
from odd.method.success import Children, Counts, node_value
from odd.rollouts.sampling import derived_seed


class Cut:
    """The signal of M teachers at S_u, given the rollouts that a pooling rule counts.

    Args:
        signal: signal at the node, with the counted rollouts.
        support: tokens of S_u.
        objectives: O objectives.
    """

    def __init__(self, signal: NodeSignal, support: np.ndarray, objectives: Sequence[Objective]) -> None:
        """Compute the gradients at S_u."""
        self.signal, self.support = signal, support
        self.full = np.stack([signal.at(one, support) for one in objectives], axis=1)

    def student(self, baseline: Baseline, rest: Rest) -> np.ndarray:
        """Return P_theta of the components of a convention, float64 (C,)."""
        return self.signal.student(self.support, baseline, rest)

    def teachers(self, baseline: Baseline, rest: Rest) -> np.ndarray:
        """Return P_te of the children under a convention, float64 (M, K)."""
        return self.signal.teachers(self.support, baseline, rest)


def teacher_gradients(
    cuts: Sequence[Cut], objectives: Sequence[Objective], baseline: Baseline, rest: Rest
) -> np.ndarray:
    """Compute the gradients of all teachers and objectives at nodes with the same number of children.

    Returns:
        Float64 (N, M * O, C), the objective varying fastest; see `odd.method.node_signal.NodeSignal.components`.
    """
    if baseline == "full":
        gradients = np.stack([cut.full for cut in cuts])
        if rest == "bucket":
            gradients = np.append(gradients, -gradients.sum(axis=-1, keepdims=True), axis=-1)
    else:
        nodes = [cut.signal.reduced(cut.support, rest) for cut in cuts]
        log_p, log_q = np.stack([node.log_p for node in nodes])[:, None], np.stack([node.log_q for node in nodes])
        each = [one.gradient(log_p, log_q, _stacked(one, cuts, rest)) for one in objectives]
        gradients = np.stack([np.broadcast_to(gradient, log_q.shape) for gradient in each], axis=2)
    return gradients.reshape(len(cuts), -1, gradients.shape[-1])


def _stacked(objective: Objective, cuts: Sequence[Cut], rest: Rest) -> Taken:
    """Stack visits and successes at S_u of several nodes, (N, 1, C), and their rewards-to-go, (N, M, C)."""
    each = [cut.signal.taken(objective, cut.support, rest) for cut in cuts]
    visits, successes = (
        np.stack([values for values in column if values is not None])[:, None]
        for column in ([one.visits for one in each], [one.successes for one in each])
    )
    known = [one.to_go for one in each if one.to_go is not None]
    if not known:
        return Taken(visits, successes)
    to_go = RewardToGo(np.stack([one.first for one in known]), np.stack([one.later for one in known]))
    return Taken(visits, successes, to_go)


@dataclass(frozen=True, eq=False)
class NodeSuccess:
    """P̂ of the children S_u of a node and of the rest, under one pooling rule, with posterior draws.

    Attributes:
        node: u.
        cut: the teachers' signal at u.
        success: P̂ of the children and, last, of the rest; (K + 1,). The P̂ of a rest that no rollout took is the mean of
            the children; its draws are 0 or 1, as it may always fail or always succeed.
        draws: posterior draws of `success`; (K + 1, D).
        halves: `success` estimated from each half of the rollouts; (2, K + 1).
        visits: total visits of the children.
    """

    node: int
    cut: Cut
    success: np.ndarray
    draws: np.ndarray
    halves: np.ndarray
    visits: int

    @property
    def children(self) -> int:
        """Number of children, K."""
        return len(self.success) - 1

    def components(self, rest: Rest) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return tokens (C,), success (C,), its posterior draws (C, D) and success by halves (2, C), the rest last."""
        if rest == "off":
            return self.cut.support, self.success[:-1], self.draws[:-1], self.halves[:, :-1]
        return np.append(self.cut.support, REST), self.success, self.draws, self.halves


def node_success(tree: QuestionTree, node: int, pooling: str, chosen: Children, cut: Cut) -> NodeSuccess:
    """Estimate P̂ at S_u; the posterior draws are seeded by question, pooling rule and node only."""
    state, config = tree.success[pooling], tree.config
    rng = np.random.default_rng([config.seed, derived_seed(tree.question, pooling, int(tree.tree.number[node]))])
    rest = Counts(np.array([chosen.rest_visits]), np.array([chosen.rest_successes]))
    draws = np.concatenate(state.draws(chosen.nodes, rest, config.posterior_draws, rng), axis=1)
    if not chosen.rest_visits:
        draws[:, -1] = rng.integers(2, size=len(draws))
    p = cut.student("full", "off")
    return NodeSuccess(
        node=node,
        cut=cut,
        success=_with_rest(p, state.value[chosen.nodes], rest.mean),
        draws=np.ascontiguousarray(draws.T),
        halves=np.stack([_of_half(p, half, chosen) for half in tree.halves[pooling]]),
        visits=int(state.counts.visits[chosen.nodes].sum()),
    )


def _of_half(p: np.ndarray, half: EdgeSuccess, chosen: Children) -> np.ndarray:
    """Estimate P̂ of the children and of the rest from one half of the rollouts; (K + 1,)."""
    with np.errstate(invalid="ignore"):
        rest = half.drawn.successes[chosen.others].sum() / half.drawn.visits[chosen.others].sum()
    return _with_rest(p, half.value[chosen.nodes], rest)


def _with_rest(p: np.ndarray, success: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Append P̂ of the rest to that of the children, or the children's mean if it is unknown (NaN); (K + 1,)."""
    mean = node_value(p, success) / p.sum() if p.sum() > 0 else np.nan
    return np.append(success, np.where(np.isnan(rest), mean, rest))
