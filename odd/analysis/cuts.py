"""Path nodes cut down to their children S_u: all that is kept of a node once its vocabulary has been read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis.question_tree import QuestionTree
from odd.method.gradients import distillation_gradient
from odd.method.node_signal import NodeSignal, Reduced
from odd.method.objectives import Baseline, Objective, Rest
from odd.method.pooling import EdgeSuccess
from odd.method.reward_to_go import RewardToGo
from odd.method.success import Children, Counts
from odd.rollouts.sampling import derived_seed

REST = -1  # token of the bucket that holds everything outside S_u


class Cut:
    """The signal of M teachers at S_u under one rule of which rollouts count.

    Args:
        signal: of the node, and of the rollouts that count.
        support: tokens of S_u.
        objectives: O of them.
    """

    def __init__(self, signal: NodeSignal, support: np.ndarray, objectives: Sequence[Objective]) -> None:
        """Work out everything at S_u, so that the vocabulary can be let go."""
        self.support, self.log_p, self.log_q = support, signal.log_p[support], signal.log_q.take(support, axis=1)
        self.full = np.stack([signal.at(one, support) for one in objectives], axis=1)
        self.reduced: dict[Rest, Reduced] = {rest: signal.reduced(support, rest) for rest in ("off", "bucket")}
        self.to_go: dict[tuple[Objective, Rest], RewardToGo | None] = {
            (one, rest): signal.reduced_to_go(one, support, rest) for one in objectives for rest in ("off", "bucket")
        }

    def student(self, baseline: Baseline, rest: Rest) -> np.ndarray:
        """P_theta of the components of a convention, float64 (C,)."""
        plain = baseline == "full" and rest == "off"
        return np.exp(self.log_p.astype(np.float64) if plain else self.reduced[rest].log_p)


def teacher_gradients(
    cuts: Sequence[Cut], objectives: Sequence[Objective], baseline: Baseline, rest: Rest
) -> np.ndarray:
    """Gradients of all teachers and objectives at nodes with equally many children.

    Returns:
        Float64 (N, M * O, C), the objective moving fastest; see `odd.method.node_signal.NodeSignal.components`.
    """
    if baseline == "full":
        gradients = np.stack([cut.full for cut in cuts])
        if rest == "bucket":
            gradients = np.append(gradients, -gradients.sum(axis=-1, keepdims=True), axis=-1)
    else:
        nodes = [cut.reduced[rest] for cut in cuts]
        log_q = np.stack([node.log_q for node in nodes])
        log_p, visits, successes = (
            np.stack(values)[:, None] for values in zip(*((node.log_p, *node[2:]) for node in nodes), strict=True)
        )
        each = [
            distillation_gradient(
                one, log_p, log_q, visits, successes, _stacked([cut.to_go[one, rest] for cut in cuts])
            )
            for one in objectives
        ]
        gradients = np.stack([np.broadcast_to(gradient, log_q.shape) for gradient in each], axis=2)
    return gradients.reshape(len(cuts), -1, gradients.shape[-1])


def _stacked(each: Sequence[RewardToGo | None]) -> RewardToGo | None:
    known = [to_go for to_go in each if to_go is not None]
    if not known:
        return None
    return RewardToGo(np.stack([to_go.first for to_go in known]), np.stack([to_go.later for to_go in known]))


@dataclass(frozen=True, eq=False)
class Estimate:
    """P̂ of the children S_u of a node under one pooling rule, and of what lies outside, with posterior draws.

    Attributes:
        node: u.
        cut: the teachers' signal there.
        success: P̂ of the children and, last, of the rest; (K + 1,).
        draws: of the same; (K + 1, D).
        halves: P̂ of the same by each half of the rollouts; (2, K + 1).
        visits: of all children together.
    """

    node: int
    cut: Cut
    success: np.ndarray
    draws: np.ndarray
    halves: np.ndarray
    visits: int

    @property
    def children(self) -> int:
        """K."""
        return len(self.success) - 1

    def components(self, rest: Rest) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Tokens (C,), success (C,), its posterior draws (C, D), success by halves (2, C); the rest goes last."""
        if rest == "off":
            return self.cut.support, self.success[:-1], self.draws[:-1], self.halves[:, :-1]
        return np.append(self.cut.support, REST), self.success, self.draws, self.halves


def estimate(tree: QuestionTree, node: int, pooling: str, chosen: Children, cut: Cut) -> Estimate:
    """P̂ at S_u; the random draws are seeded by question, pooling and node alone."""
    state, config = tree.success[pooling], tree.config
    rng = np.random.default_rng([config.seed, derived_seed(tree.question, pooling, node)])
    rest = Counts(np.array([chosen.rest_visits]), np.array([chosen.rest_successes]))
    draws = np.concatenate(state.draws(chosen.nodes, rest, config.posterior_draws, rng), axis=1)
    return Estimate(
        node=node,
        cut=cut,
        success=np.append(state.value[chosen.nodes], rest.mean),
        draws=np.ascontiguousarray(draws.T),
        halves=np.stack([_of_half(half, chosen) for half in tree.halves[pooling]]),
        visits=int(state.counts.visits[chosen.nodes].sum()),
    )


def _of_half(half: EdgeSuccess, chosen: Children) -> np.ndarray:
    """P̂ of the children and of the rest by one half of the rollouts; (K + 1,)."""
    with np.errstate(invalid="ignore"):
        rest = half.drawn.successes[chosen.others].sum() / half.drawn.visits[chosen.others].sum()
    return np.append(half.value[chosen.nodes], rest)
