"""Which paths to study and which tokens to force (method §5, steps 2-5)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from odd.config import TargetingConfig
from odd.method.targeting import choose_pairs
from odd.method.tree import depth_windows, representative_paths
from odd.rollouts.sampling import Rollout, derived_seed


@dataclass(frozen=True)
class Plan:
    """Forced prefixes, one for each targeted rollout, and the rows of the table `pairs`."""

    forced: list[tuple[int, ...]]
    rows: list[dict]


def choose_paths(question: str, initial: Sequence[Rollout], targeting: TargetingConfig, seed: int) -> list[int]:
    """Indices of the representative initial rollouts, correct ones first."""
    return representative_paths(
        np.array([rollout.correct for rollout in initial]),
        np.array([rollout.truncated for rollout in initial]),
        [rollout.token_ids for rollout in initial],
        targeting.correct_paths,
        targeting.incorrect_paths,
        np.random.default_rng([seed, derived_seed(question, "paths")]),
    )


def plan_targets(
    initial: Sequence[Rollout],
    paths: Sequence[int],
    log_p: Sequence[np.ndarray],
    log_q: Mapping[str, Sequence[np.ndarray]],
    targeting: TargetingConfig,
) -> Plan:
    """Choose the pairs of every path and how many rollouts each still needs.

    A pair on a prefix that several paths share is taken once. Initial rollouts that already went through it count.
    An adaptive allocation finds out later how many each gets: none is planned.

    Args:
        initial: the initial rollouts.
        paths: indices of the representative ones.
        log_p: student log-probabilities along each path, (T, V).
        log_q: the same by teacher.
        targeting: settings.
    """
    forced: list[tuple[int, ...]] = []
    rows: list[dict] = []
    seen: set[tuple[int, ...]] = set()
    responses = [rollout.token_ids for rollout in initial]
    for path, rollout in enumerate(paths):
        tokens = responses[rollout]
        windows = depth_windows(len(tokens), targeting.first_window)
        read = {name: distributions[path] for name, distributions in log_q.items()}
        budget = targeting.tau, targeting.n_gradient, targeting.n_difference
        for pair in choose_pairs(log_p[path], read, windows, *budget):
            prefix = (*tokens[: pair.position], pair.token)
            if prefix in seen:
                continue
            seen.add(prefix)
            visits = sum(response[: len(prefix)] == prefix for response in responses)
            launched = max(0, targeting.n_min - visits) if targeting.allocation == "uniform" else 0
            forced += [prefix] * launched
            rows.append({"pair": len(rows), "path": path} | asdict(pair) | {"visits": visits, "launched": launched})
    return Plan(forced, rows)
