"""MiniLLM's rewards of a question: from the log-probabilities of whole rollouts to means by edge (method §3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis.question_tree import QuestionTree
from odd.method.logspace import soften
from odd.method.objectives import Objective
from odd.method.reward_to_go import RewardToGo, edge_means, split_rewards


@dataclass(frozen=True)
class Reading:
    """What student and teachers made of all rollouts.

    Attributes:
        student: by loss temperature, log-probabilities of the tokens of each rollout, float32 (T,); NaN where forced.
        teachers: the same by teacher.
    """

    student: Mapping[float, Sequence[np.ndarray]]
    teachers: Mapping[str, Mapping[float, Sequence[np.ndarray]]]


class RolloutRewards:
    """Mean rewards-to-go of every edge, for each group of `tree.alike` and each `minillm` objective.

    Args:
        tree: the question's tree.
        log_q: by teacher, log-probabilities along each path, float32 (T, V); forced tokens hang on paths.
        reading: log-probabilities of everything else; None without `minillm`.

    Raises:
        ValueError: an objective needs a reading that is not there.
    """

    def __init__(self, tree: QuestionTree, log_q: Mapping[str, Sequence[np.ndarray]], reading: Reading | None) -> None:
        """Work out all means."""
        self.tree = tree
        self.means: dict[str, dict[Objective, RewardToGo]] = {rule: {} for rule in tree.alike}
        objectives = [objective for objective in tree.config.objectives if objective.name == "minillm"]
        if not objectives:
            return
        if reading is None:
            raise ValueError("minillm needs the log-probabilities of all rollouts: give a reading")
        self.forced = np.array([rollout.launch for rollout in tree.rollouts])
        rewards: dict[float, list[np.ndarray]] = {}
        for temperature in tree.config.reading_temperatures:
            rewards[temperature] = [self._rewards(rows, reading, name, temperature) for name, rows in log_q.items()]
        for objective in objectives:
            each = [self._means(matrix, objective) for matrix in rewards[objective.temperature]]
            for rule in tree.alike:
                firsts, laters = zip(*((own[rule].first, own[rule].later) for own in each), strict=True)
                self.means[rule][objective] = RewardToGo(np.stack(firsts), np.stack(laters))

    def at(self, node: int, rule: str, size: int) -> dict[Objective, RewardToGo]:
        """Rewards-to-go of every token at a node, float64 (M, V); NaN where no rollout that counts took it."""
        children = np.asarray(self.tree.tree.children(node), dtype=np.int64)
        tokens = self.tree.tree.token[children]

        def dense(means: np.ndarray) -> np.ndarray:
            values = np.full((len(means), size), np.nan)
            values[:, tokens] = means[:, children]
            return values

        return {key: RewardToGo(dense(to_go.first), dense(to_go.later)) for key, to_go in self.means[rule].items()}

    def _rewards(self, log_q: Sequence[np.ndarray], reading: Reading, teacher: str, temperature: float) -> np.ndarray:
        """Reward of each token of each rollout under one teacher, float64 (R, T); NaN beyond its end."""
        nodes = self.tree.tree.rollout_nodes[:, 1:]
        rewards = self._path_rewards(log_q, temperature)[nodes]
        texts = zip(reading.student[temperature], reading.teachers[teacher][temperature], strict=True)
        for row, (own, theirs), forced in zip(rewards, texts, self.forced, strict=True):
            row[forced : len(own)] = theirs[forced:].astype(np.float64) - own[forced:]
        return np.where((nodes >= 0) & np.isfinite(rewards), rewards, np.nan)

    def _path_rewards(self, log_q: Sequence[np.ndarray], temperature: float) -> np.ndarray:
        """Reward of each edge that leaves a path node, NaN elsewhere; float64 (N,)."""
        rewards = np.full(self.tree.tree.size, np.nan)
        for node, (path, position) in self.tree.places.items():
            children = np.asarray(self.tree.tree.children(node), dtype=np.int64)
            own, theirs = self.tree.path_log_probs[path][position], log_q[path][position]
            size = min(len(own), len(theirs))
            with np.errstate(invalid="ignore"):
                difference = soften(theirs[:size], temperature) - soften(own[:size], temperature)
            rewards[children] = difference[self.tree.tree.token[children]]
        return rewards

    def _means(self, rewards: np.ndarray, objective: Objective) -> dict[str, RewardToGo]:
        inside = self.tree.tree.rollout_nodes[:, 1:] >= 0
        to_go = split_rewards(rewards, inside, objective.gamma, objective.length_normalization)
        # what is unknown has no weight either
        values = np.stack([np.where(np.isnan(to_go.later), np.nan, to_go.first), to_go.later])
        return {
            rule: RewardToGo(*edge_means(self.tree.tree, self.forced, values, self.tree.success[rule].rule.counted))
            for rule in self.tree.alike
        }
