"""Choose the paths to study and the tokens to force (method §5, steps 2-5)."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from odd.analysis.path_rows import PathRows
from odd.config import TargetingConfig
from odd.method.targeting import choose_pairs
from odd.method.tree import depth_windows, representative_paths
from odd.rollouts.sampling import Rollout, derived_seed


@dataclass(frozen=True)
class Plan:
    """Forced prefixes, one per targeted rollout, and the rows of the table `pairs`."""

    forced: list[tuple[int, ...]]
    rows: list[dict]


def choose_paths(question: str, initial: Sequence[Rollout], targeting: TargetingConfig, seed: int) -> list[int]:
    """Choose the representative initial rollouts; return their indices, correct ones first."""
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
    rows: PathRows,
    guides: Collection[str],
    targeting: TargetingConfig,
) -> Plan:
    """Choose the pairs of every path and the number of rollouts that each still needs.

    A pair on a prefix that several paths share is chosen once. Initial rollouts through it count. For an adaptive
    allocation no rollouts are planned here: it assigns them later.

    Args:
        initial: the initial rollouts.
        paths: indices of the representative rollouts.
        rows: distributions along each path.
        guides: teachers that determine the forced tokens.
        targeting: settings.
    """
    forced: list[tuple[int, ...]] = []
    pairs: list[dict] = []
    seen: set[tuple[int, ...]] = set()
    for path, rollout in enumerate(paths):
        tokens = initial[rollout].token_ids.tolist()
        windows = depth_windows(len(tokens), targeting.first_window)
        numbers = {name: number for number, name in enumerate(rows.teachers) if name in guides}
        budget = targeting.tau, targeting.n_gradient, targeting.n_difference
        for pair in choose_pairs(rows.path(path), numbers, windows, *budget):
            prefix = (*tokens[: pair.position], pair.token)
            if prefix in seen:
                continue
            seen.add(prefix)
            visits = sum(response.starts_with(prefix) for response in initial)
            launched = max(0, targeting.n_min - visits) if targeting.allocation == "uniform" else 0
            forced += [prefix] * launched
            pairs.append({"pair": len(pairs), "path": path} | asdict(pair) | {"visits": visits, "launched": launched})
    return Plan(forced, pairs)
