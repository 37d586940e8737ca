"""The details of a pinned token: all children, and rollouts that continue with each of them."""

import json

import numpy as np
import pandas as pd
import pytest

from odd.views.links import ViewState
from odd.views.pinned_token import (
    children_table,
    continuations,
    drawn_children,
    drawn_rollouts,
    read_table,
    token_children,
)
from odd.views.resolve import resolve
from odd.views.token_path import path_rows


@pytest.fixture(scope="module")
def view(run):
    """A view pinned at the first decision point after the root with a forced rollout."""
    view = resolve(run, ViewState(question="sum")).view
    decisions = [row["position"] for row in path_rows(run, 0, view) if row["decision"] is True]
    return view.but(position=next(position for position in decisions if position > 0))


def through(run, view, token):
    """Rollouts that count on-policy for the child, by brute force."""
    prefix = run.query("path_prefix", question=0, path=view.path, position=view.position)["token"].tolist()
    rollouts = run.query("rollouts", question=0)
    wanted = [*prefix, token]
    return rollouts[
        [ids[: len(wanted)].tolist() == wanted for ids in rollouts["token_ids"]]
        & (rollouts["launch"] <= len(wanted)).to_numpy()
    ]


def test_all_children_of_the_node_are_there(run, view):
    children = token_children(run, 0, view)
    nodes = run.query("nodes", question=0)
    assert len(children) == (nodes["parent"] == children["node"].iloc[0]).sum()
    assert children["taken"].sum() == 1


def test_rollouts_to_read_continue_with_the_child_and_are_counted(run, view):
    children = token_children(run, 0, view)
    shown = continuations(run, 0, view, children, draw=0)
    tokens = dict(zip(children["text"], children["token"], strict=True))
    assert shown["groups"]
    for group in shown["groups"]:
        counted = through(run, view, tokens[group["text"]])
        assert group["visits"] == len(counted)
        assert group["rate"]["value"] == pytest.approx(counted["correct"].mean(), abs=1e-3)
        for line in group["lines"]:
            assert line["found"] == (counted["correct"] == line["correct"]).sum()


def test_right_and_wrong_ones_are_shown_and_no_more_than_asked_for(run, view):
    shown = continuations(run, 0, view, token_children(run, 0, view), draw=0, each=1)
    for group in shown["groups"]:
        outcomes = [line["correct"] for line in group["lines"]]
        assert len(outcomes) == len(set(outcomes))


def test_another_draw_shows_other_rollouts_and_the_same_draw_the_same(run, view):
    children = token_children(run, 0, view)
    first, again, other = (continuations(run, 0, view, children, draw) for draw in (0, 0, 1))
    assert first == again
    assert first != other


def test_text_before_and_after_the_token_make_up_the_rollout(run, view):
    children = token_children(run, 0, view)
    shown = continuations(run, 0, view, children, draw=0)
    before = shown["before"].removeprefix("…")
    for group in shown["groups"]:
        token = children.loc[children["text"] == group["text"], "token"].item()
        texts = [text.replace("\n", "⏎") for text in through(run, view, token)["text"]]
        spelled = "" if group["mark"] else group["text"]
        assert all(any(text.endswith(before + spelled + line["text"]) for text in texts) for line in group["lines"])


def test_at_the_root_there_is_nothing_before(run, view):
    root = view.but(position=0)
    shown = continuations(run, 0, root, token_children(run, 0, root), draw=0)
    assert shown["before"] == ""
    assert shown["groups"][0]["lines"]


def test_the_figure_shows_s_u_or_else_the_most_visited(run, view):
    children = token_children(run, 0, view)
    assert drawn_children(children)["significant"].all()
    nothing = children.assign(significant=False, ideal=np.nan)
    assert len(drawn_children(nothing, most=2)) == 2


def test_tokens_in_the_table_are_exact_and_not_formulas(run, view):
    children = token_children(run, 0, view)
    table = children_table(children.assign(text="=1+1"))
    assert set(table["token"].map(json.loads)) == {"=1+1"}
    assert not table["token"].str.startswith("=").any()
    assert table["visits"].sum() == children["success_visits"].sum()


def test_a_question_without_paths_has_rollouts_to_read(run):
    shown = drawn_rollouts(run, 2, draw=0)
    lines = shown["groups"][0]["lines"]
    assert lines and not any(line["correct"] for line in lines)
    assert all("\n" not in line["text"] for line in lines)


def test_success_and_its_interval_are_read_as_one_text():
    ends = {"P̂ success": [0.5, 1.0, None], "P̂ low": [0.25, None, None], "P̂ high": [0.75, None, None]}
    table = read_table(pd.DataFrame({"token": list("abc"), **ends, "visits": [8, 1, 0]}))
    assert table["P̂ success"].tolist() == ["0.50 [0.25, 0.75]", "1.00", "–"]
    assert list(table.columns) == ["token", "P̂ success", "visits"]
