"""Truncated rollouts along a path: counted per token and child, and said where they matter."""

import numpy as np
import pandas as pd
import pytest

from odd.method.pooling import pooling_rule
from odd.views.links import ViewState
from odd.views.resolve import resolve
from odd.views.token_path import path_rows
from odd.views.truncation import truncated_after, truncated_children, truncated_shares, truncation_notice


class Truncated:
    """A run in which some rollouts were truncated: those with an odd number."""

    def __init__(self, run):
        self.run, self.run_id = run, run.run_id
        self.rollouts = run.query("rollouts", question=0).assign(truncated=lambda rows: rows["rollout"] % 2 == 1)

    def query(self, name, /, **params):
        if name == "truncated_along":
            return self.along(**params)
        return self.run.query(name, **params)

    def along(self, question, path, most):
        """What the query does, in Python."""
        number = self.run.query("paths", question=question).set_index("path").loc[path, "rollout"]
        own = self.rollouts.set_index("rollout").loc[number, "token_ids"]
        cut = self.rollouts[self.rollouts["truncated"]]
        shared = [shared_length(own, tokens) for tokens in cut["token_ids"]]
        return pd.DataFrame({"launch": cut["launch"].tolist(), "found": len(cut), "shared": shared})


def shared_length(one, other):
    size = min(len(one), len(other))
    apart = np.flatnonzero(np.asarray(one)[:size] != np.asarray(other)[:size])
    return int(apart[0]) if len(apart) else size


@pytest.fixture(scope="module")
def view(run):
    return resolve(run, ViewState(question="sum")).view


def test_the_query_finds_where_truncated_rollouts_leave_the_path(run, view):
    rollouts = run.query("rollouts", question=0)
    truncated = Truncated(run)
    truncated.rollouts = rollouts
    for path in run.query("paths", question=0)["path"].tolist():
        found = run.query("truncated_along", question=0, path=path, most=10**6)
        wanted = truncated.along(0, path, 0)
        assert found["shared"].tolist() == wanted["shared"].tolist()
        assert found["launch"].tolist() == wanted["launch"].tolist()


@pytest.mark.parametrize("convention", ["on_policy-full-off", "pooled-full-off"])
def test_truncated_rollouts_are_counted_as_the_convention_counts(run, view, convention):
    odd, view = Truncated(run), view.but(convention=convention)
    rows, cut = path_rows(run, 0, view), odd.along(0, view.path, 0)
    rule = pooling_rule(convention)
    counts = truncated_after(odd, 0, view, rows)
    for row in rows:
        depth = row["position"] + 1
        counted = rule.counted(cut["launch"].to_numpy(), np.array(depth)) & (cut["shared"].to_numpy() >= depth)
        assert counts.get(row["position"], 0) == counted.sum()
        assert counts.get(row["position"], 0) <= row["success_visits"]
    assert sum(counts.values()) > 0


def test_more_truncated_rollouts_than_are_compared_are_scaled_up(run, view):
    odd, rows = Truncated(run), path_rows(run, 0, view)
    plain = truncated_after(odd, 0, view, rows)
    along = odd.along
    odd.along = lambda **params: along(**params).assign(found=lambda found: 3 * len(found))
    assert truncated_after(odd, 0, view, rows) == {position: 3 * count for position, count in plain.items()}


def test_a_share_is_of_the_rollouts_that_count():
    rows = [{"position": 4, "success_visits": 20}, {"position": 5, "success_visits": 0}, {"position": 6}]
    assert truncated_shares(rows, {4: 5.0, 5: 1.0}) == [[4, 0.25]]


def test_nothing_is_said_where_truncation_does_not_matter(run):
    assert truncation_notice(run, 0, [], []) == ""
    assert truncation_notice(run, 0, [[3, 0.05]], [3]) == ""


def test_decision_points_that_truncation_touches_are_counted(run):
    said = truncation_notice(run, 0, [[3, 0.05], [7, 0.5], [9, 0.2]], [3, 9])
    assert "After 2 tokens of this path, 1 of them at decisions, 20% to 50% of the rollouts" in said
    assert said.endswith("P̂ there is a lower bound.")


def test_estimated_shares_are_called_so(run):
    class Many:
        def query(self, name, /, **params):
            found = run.query(name, **params)
            return found.assign(truncated=4000, rollouts=9000) if name == "rollout_ends" else found

    ends = len(run.query("rollout_ends", question=0))
    said = truncation_notice(Many(), 0, [[7, 0.5]], [7])
    assert said.endswith(f"estimated from 1,000 of {4000 * ends:,} truncated rollouts.")


def test_truncated_children_are_counted(run, view):
    place = view.but(position=0)
    rollouts = run.query("rollouts", question=0)
    cut = rollouts[rollouts["truncated"] & (rollouts["launch"] == 0)]
    wanted = cut["token_ids"].map(lambda tokens: int(tokens[0])).value_counts().to_dict()
    assert truncated_children(run, 0, place) == wanted
