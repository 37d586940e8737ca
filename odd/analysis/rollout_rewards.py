"""MiniLLM's rewards for a question: log-probabilities of all rollouts to mean rewards-to-go per edge (method §3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from odd.analysis.question_tree import QuestionTree
from odd.method.node_signal import softened_at
from odd.method.objectives import Objective
from odd.method.reward_to_go import RewardToGo, edge_means


@dataclass(frozen=True)
class Reading:
    """Log-probabilities of all rollouts under student and teachers.

    Attributes:
        student: by loss temperature, log-probabilities of the tokens of each rollout, float32 (T,); NaN where forced.
        teachers: the same for each teacher, by name.
    """

    student: Mapping[float, Sequence[np.ndarray]]
    teachers: Mapping[str, Mapping[float, Sequence[np.ndarray]]]


class RolloutRewards:
    """Mean rewards-to-go of every edge, for each group of `tree.alike` and each `minillm` objective.

    Args:
        tree: tree of the question.
        reading: log-probabilities of all rollouts; None without `minillm`.

    Raises:
        ValueError: an objective needs a reading and there is none.
    """

    def __init__(self, tree: QuestionTree, reading: Reading | None) -> None:
        """Compute all means."""
        self.tree = tree
        self.means: dict[str, dict[Objective, RewardToGo]] = {rule: {} for rule in tree.alike}
        objectives = [one for one in tree.config.objectives if "rewards" in one.needs]
        if not objectives:
            return
        if reading is None:
            raise ValueError("objectives that need rewards need the log-probabilities of all rollouts: give a reading")
        self.forced = np.array([rollout.launch for rollout in tree.rollouts])
        self.nodes = tree.tree.rollout_nodes[:, 1:]
        self.inside = np.arange(self.nodes.shape[1]) < tree.tree.lengths[:, None]
        rewards: dict[float, list[np.ndarray]] = {}
        for temperature in tree.config.reading_temperatures:
            of_paths = self._path_rewards(temperature)
            rewards[temperature] = [
                self._rewards(of_paths[number], reading, name, temperature)
                for number, name in enumerate(tree.rows.teachers)
            ]
        for objective in objectives:
            each = [self._means(matrix, objective) for matrix in rewards[objective.temperature]]
            for rule in tree.alike:
                firsts, laters = zip(*((own[rule].first, own[rule].later) for own in each), strict=True)
                self.means[rule][objective] = RewardToGo(np.stack(firsts), np.stack(laters))

    def at(self, node: int, rule: str) -> dict[Objective, RewardToGo]:
        """Return the rewards-to-go of a node's children, float64 (M, K); NaN for a child without counted rollouts."""
        children = np.asarray(self.tree.tree.children(node), dtype=np.int64)
        return {
            one: RewardToGo(means.first[:, children], means.later[:, children])
            for one, means in self.means[rule].items()
        }

    def _rewards(self, of_paths: np.ndarray, reading: Reading, teacher: str, temperature: float) -> np.ndarray:
        """Return the reward of each token of each rollout under one teacher, float64 (R, T); NaN after its end."""
        # beyond the nodes that the tree holds, rewards are not those of a path
        rewards = np.where(self.nodes >= 0, of_paths[self.nodes], np.nan)
        texts = zip(reading.student[temperature], reading.teachers[teacher][temperature], strict=True)
        for row, (own, theirs), forced in zip(rewards, texts, self.forced, strict=True):
            row[forced : len(own)] = theirs[forced:].astype(np.float64) - own[forced:]
        return np.where(self.inside & np.isfinite(rewards), rewards, np.nan)

    def _path_rewards(self, temperature: float) -> np.ndarray:
        """Return the reward of each edge from a path node under each teacher, NaN elsewhere; float64 (M, N)."""
        rewards = np.full((len(self.tree.rows.teachers), self.tree.tree.size), np.nan)
        for node, (path, position) in self.tree.places.items():
            children = np.asarray(self.tree.tree.children(node), dtype=np.int64)
            log_p, log_q = softened_at(self.tree.rows.at(path, position), self.tree.tree.token[children], temperature)
            with np.errstate(invalid="ignore"):
                rewards[:, children] = log_q - log_p
        return rewards

    def _means(self, rewards: np.ndarray, objective: Objective) -> dict[str, RewardToGo]:
        to_go = objective.rewards_to_go(rewards, self.inside)
        # where the later rewards are unknown, the first one is dropped, too
        values = np.stack([np.where(np.isnan(to_go.later), np.nan, to_go.first), to_go.later])
        return {
            rule: RewardToGo(*edge_means(self.tree.tree, self.forced, values, self.tree.success[rule].rule.counted))
            for rule in self.tree.alike
        }
