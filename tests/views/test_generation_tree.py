"""The drawn part of the tree: complete paths, everything else drawn or counted, and every rollout reachable."""

import json

import networkx as nx
import pytest

from odd.views import generation_graph
from odd.views.generation_graph import PAGE, ROWS, display, tree_size
from odd.views.generation_tree import branch_graph, decision_payload, tree_payload
from odd.views.links import ViewState
from odd.views.resolve import resolve
from odd.views.scores import records

ON_POLICY, POOLED, STRATIFIED = "on_policy-full-off", "pooled-full-off", "stratified-full-off"


@pytest.fixture(scope="module")
def view(run):
    return resolve(run, ViewState(question="sum")).view


@pytest.fixture
def narrow(monkeypatch):
    """Few rows, so that even a small tree has many undrawn nodes."""
    monkeypatch.setattr(generation_graph, "ROWS", 2)


def payload(run, convention=ON_POLICY, unfolded=(), node=None):
    return tree_payload(run, 0, convention, display(run, 0, convention, unfolded, node))


def counted(run, convention):
    """Stored counts and success of every node under the rule of a convention."""
    asked = {"asked": [], "unfolded": [], "most": [], "limit": 10**6}
    rows = run.query("tree_nodes", question=0, convention=convention, **asked)
    return rows.set_index("node").rename(columns={"success_visits": "visits"})


def hidden_nodes(data):
    return [branch["nodes"][one["at"]] for branch in data["branches"] for one in branch["hidden"]]


def children_of(run, node):
    return run.query("branches", question=0, node=node, convention=ON_POLICY)


def leaves(data):
    parents = {branch["parent"] for branch in data["branches"]}
    return [branch for at, branch in enumerate(data["branches"]) if at not in parents]


def responses(found):
    """Token ids of all responses drawn to their end."""
    ended = {tuple(found.prefix(node)) for node in found.graph if found.ended(node)}
    alone = {(*found.prefix(node), *single.tokens) for node, singles in found.singles.items() for single in singles}
    return ended | alone


def test_paths_are_drawn_whole(run, narrow):
    found = display(run, 0, ON_POLICY)
    assert found.paths
    for path, nodes in found.paths.items():
        assert len(nodes) == run.query("paths", question=0).set_index("path").loc[path, "length"]
        assert set(nodes) <= set(found.graph)
        assert nx.is_path(found.graph, [0, *nodes])


def test_what_is_drawn_is_one_tree_from_the_root(run):
    found = display(run, 0, ON_POLICY)
    assert nx.is_arborescence(found.graph)
    assert nx.is_arborescence(branch_graph(found))


def test_a_node_with_one_drawn_child_is_no_end_of_a_branch(run):
    merged = branch_graph(display(run, 0, ON_POLICY))
    assert all(merged.out_degree(branch) != 1 for branch in merged if branch != 0)


def test_branches_hold_every_drawn_node_once(run):
    found = display(run, 0, ON_POLICY)
    nodes = [node for branch in tree_payload(run, 0, ON_POLICY, found)["branches"] for node in branch["nodes"]]
    assert sorted(nodes) == sorted(found.graph)


def test_rows_beyond_the_paths_are_few(run):
    paths = len(run.query("paths", question=0))
    assert paths < len(leaves(payload(run))) <= paths + ROWS


def test_more_visits_nearer_the_root_are_drawn_first(run, narrow):
    found = display(run, 0, ON_POLICY)
    nodes = run.query("nodes", question=0)
    on_path = {node for nodes in found.paths.values() for node in nodes}
    nodes["visits"] = counted(run, ON_POLICY)["visits"].to_numpy()
    early = nodes[(nodes["parent"] == 0) & ~nodes["node"].isin(on_path)].sort_values("visits", ascending=False)
    assert early["node"].iloc[0] in found.graph


def test_rollouts_that_leave_a_node_are_drawn_or_counted(run, narrow):
    found = display(run, 0, ON_POLICY)
    for node, row in found.graph.nodes.items():
        drawn = sum(found.graph.nodes[child]["rollouts"] for child in found.graph[node])
        ended = row["rollouts"] if found.ended(node) else 0
        assert drawn + ended + found.hidden(node)[1] == row["rollouts"]


@pytest.mark.parametrize("convention", [ON_POLICY, POOLED])
def test_unfolding_reaches_every_rollout(run, narrow, convention):
    unfolded, data = (), payload(run, convention)
    assert data["hidden"]["branches"] > 0
    while hidden_nodes(data):
        unfolded = (*unfolded, *hidden_nodes(data))
        data = payload(run, convention, unfolded)
    assert data["hidden"] == {"branches": 0, "share": pytest.approx(0, abs=1e-9)}
    found = display(run, 0, convention, unfolded)
    assert responses(found) == {tuple(ids) for ids in run.query("rollouts", question=0)["token_ids"]}


def test_unfolding_again_shows_more(run, narrow, monkeypatch):
    monkeypatch.setattr(generation_graph, "PAGE", 1)
    node = max(hidden_nodes(payload(run)), key=lambda node: len(children_of(run, node)))
    children = len(children_of(run, node))
    counts = [display(run, 0, ON_POLICY, (node,) * times).hidden(node)[0] for times in range(children + 1)]
    assert counts == sorted(counts, reverse=True) and len(set(counts)) > 2


def test_a_requested_node_is_drawn_with_its_ancestors(run, narrow):
    nodes = run.query("nodes", question=0).set_index("node")
    rare = int(nodes.index[~nodes.index.isin(display(run, 0, ON_POLICY).graph)][-1])
    found = display(run, 0, ON_POLICY, node=rare)
    assert nx.has_path(found.graph, 0, rare)


def test_a_rollout_of_its_own_is_a_branch_to_its_end(run, narrow):
    data = payload(run)
    singles = []
    while not singles:
        data = payload(run, unfolded=tuple(hidden_nodes(data)))
        singles = [branch for branch in data["branches"] if "rollout" in branch]
    rollouts = run.query("rollouts", question=0).set_index("rollout")
    for branch in singles:
        row = rollouts.loc[branch["rollout"]]
        assert branch["depth"] + len(branch["tokens"]) == len(row["token_ids"])
        assert branch["right"] == int(row["correct"])
        assert branch["low"] < branch["p"][0] == float(row["correct"]) or branch["high"] > branch["p"][0]


@pytest.mark.parametrize("convention", [ON_POLICY, POOLED])
def test_visits_and_success_are_those_of_the_convention(run, convention):
    nodes = counted(run, convention)
    for branch in payload(run, convention)["branches"]:
        for node, n, p in zip(branch["nodes"], branch["n"], branch["p"], strict=True):
            assert n == nodes.loc[node, "visits"]
            assert p == pytest.approx(nodes.loc[node, "correct"] / nodes.loc[node, "visits"], abs=6e-4)


def test_stratified_success_is_the_backed_up_one(run):
    root = payload(run, STRATIFIED)["branches"][0]
    assert root["p"][0] == pytest.approx(counted(run, STRATIFIED).loc[0, "success"], abs=6e-4)
    assert root["p"][0] != pytest.approx(counted(run, ON_POLICY).loc[0, "success"], abs=6e-4)


def test_all_visits_of_the_tree_are_counted(run):
    size = tree_size(run, 0, POOLED)
    assert size.visits == sum(map(len, run.query("rollouts", question=0)["token_ids"]))
    assert tree_size(run, 0, ON_POLICY).visits >= counted(run, ON_POLICY)["visits"].drop(0).sum()


def test_siblings_are_sorted_by_success(run):
    data = payload(run)
    for parent in {branch["parent"] for branch in data["branches"]} - {None}:
        rates = [branch["p"][0] for branch in data["branches"] if branch["parent"] == parent]
        assert rates == sorted(rates, reverse=True)


def test_decision_points_are_those_of_the_measure(run, view):
    found = records(decision_payload(run, 0, view, 1.0)["decisions"])
    scores = run.query("scores", objective=view.objective, convention=view.convention)
    own = scores[(scores["question"] == 0) & (scores["teacher"] == view.teacher) & scores["decision"]]
    assert {(row["path"], row["position"]) for row in found} == set(zip(own["path"], own["position"], strict=True))
    for row in found:
        assert row["settled"] == (row["low"] > 0 or row["high"] < 0)


def test_filters_leave_out_decision_points_and_count_them(run, view):
    all_points = decision_payload(run, 0, view, 1.0)
    strict = decision_payload(run, 0, view.but(visits=10**6), 1.0)
    assert all_points["filtered"] == 0
    assert records(strict["decisions"]) == []
    assert strict["filtered"] == len({row["node"] for row in records(all_points["decisions"])})


def test_a_payload_is_json_without_nan(run, view):
    data = payload(run) | decision_payload(run, 0, view, 1.0)
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_a_question_without_nodes_has_no_branches(run):
    number = run.query("questions").set_index("id").loc["impossible", "question"]
    found = display(run, int(number), ON_POLICY)
    assert tree_payload(run, int(number), ON_POLICY, found)["branches"] == []


def test_a_page_is_more_than_a_row():
    assert PAGE > ROWS
