"""Where truncation lowers success: a truncated rollout counts as wrong, whatever its answer would have been."""

from collections.abc import Sequence

import numpy as np

from odd.method.pooling import pooling_rule
from odd.store.run import Run
from odd.views.links import ViewState
from odd.views.scores import Row, number

MOST = 1000
"""Truncated rollouts that are compared with a path; of more, a random sample is compared."""
MATTERS = 0.1
"""Share of truncated rollouts from which success is called a lower bound."""


def truncated_after(run: Run, question: int, view: ViewState, rows: Sequence[Row]) -> dict[int, float]:
    """Number of truncated rollouts that count for success after each token of a path, by position; estimated if many.

    Args:
        run: the run.
        question: number of the question.
        view: view with a path; its convention decides which rollouts count.
        rows: tokens of the path, as from `odd.views.token_path.path_rows`.
    """
    cut = run.query("truncated_along", question=question, path=view.path, most=MOST)
    if cut.empty or not rows:
        return {}
    rule, weight = pooling_rule(view.convention or "on_policy"), cut["found"].iloc[0] / len(cut)
    launch, shared = (cut[name].to_numpy(np.int64)[:, None] for name in ("launch", "shared"))
    depth = np.array([int(row["position"]) + 1 for row in rows])
    counts = weight * ((depth[None] <= shared) & rule.counted(launch, depth[None])).sum(axis=0)
    return {int(place) - 1: float(count) for place, count in zip(depth, counts, strict=True) if count}


def truncated_shares(rows: Sequence[Row], counts: dict[int, float]) -> list[list[float]]:
    """[position, truncated share of the rollouts that count after the token] of each token with truncated rollouts."""
    shares = []
    for row in rows:
        visits = number(row, "success_visits")
        if visits and (count := counts.get(int(row["position"]))):
            shares.append([int(row["position"]), round(min(1.0, count / visits), 3)])
    return shares


def truncation_notice(run: Run, question: int, shares: Sequence[Sequence[float]], decisions: Sequence[int]) -> str:
    """One line on what truncation does to the success along a path; empty where it does not matter.

    Args:
        run: the run.
        question: number of the question.
        shares: result of `truncated_shares`.
        decisions: positions of the decision points of the path.
    """
    touched = {int(position): share for position, share in shares if share >= MATTERS}
    points = sum(position in touched for position in decisions)
    ends = run.query("rollout_ends", question=question)
    cut, initial = ends.loc[ends["stage"] == "initial", ["truncated", "rollouts"]].sum().tolist()
    overall = cut / initial if initial else 0.0
    if overall < MATTERS and not points:
        return ""
    said = f"{overall:.0%} of the initial rollouts were truncated at the length limit and count as wrong"
    if not touched:
        return f"{said}: pass rate and P̂ are lower bounds."
    which = (
        f"{len(touched):,} {'token' if len(touched) == 1 else 'tokens'} of this path, {points} of them at decisions,"
    )
    least, most = min(touched.values()), max(touched.values())
    share = f"{least:.0%}" if f"{least:.0%}" == f"{most:.0%}" else f"{least:.0%} to {most:.0%}"
    total = int(ends["truncated"].sum())
    estimated = f" The shares are estimated from {MOST:,} of {total:,} truncated rollouts." if total > MOST else ""
    return (
        f"{said}. After {which} {share} of the rollouts that count were truncated: P̂ there is a lower bound.{estimated}"
    )


def truncated_children(run: Run, question: int, view: ViewState) -> dict[int, int]:
    """Number of counted truncated rollouts through each child of the pinned token's node, by token."""
    prefix = run.query("path_prefix", question=question, path=view.path, position=view.position)["token"].tolist()
    launches = run.query("rollout_lengths", question=question)["launch"].unique()
    counted = pooling_rule(view.convention or "on_policy").counted(launches, np.array(len(prefix) + 1))
    found = run.query(
        "truncated_children", question=question, prefix=prefix, depth=len(prefix), launches=launches[counted].tolist()
    )
    return dict(zip(found["token"].tolist(), found["truncated"].tolist(), strict=True))
