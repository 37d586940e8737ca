"""The payload of the text panel: complete, counted, small, and null where unknown."""

import json

import numpy as np
import pytest

from odd.method.measures import MEASURES, colours
from odd.text import visible
from odd.views.links import ViewState
from odd.views.resolve import resolve
from odd.views.scores import colour_scale, colour_value, legend, passes, records, settled, table
from odd.views.token_path import (
    CHILD_COLUMNS,
    SHOWN,
    end_tokens,
    path_cards,
    path_heading,
    path_names,
    path_payload,
    path_rows,
    spelled,
)

TAKEN, SIGNIFICANT, VISITS = (CHILD_COLUMNS.index(name) for name in ("taken", "significant", "success_visits"))


@pytest.fixture(scope="module")
def view(run):
    return resolve(run, ViewState(question="sum")).view


def payload(run, view):
    scale, ends = colour_scale(run, 0, view), end_tokens(run, 0)
    return path_payload(path_rows(run, 0, view), path_cards(run, 0, view), view, scale, ends)


def test_every_token_of_the_path_is_there_in_order(run, view):
    path = run.query("paths", question=0).set_index("path").loc[view.path]
    ids = run.query("rollouts", question=0).set_index("rollout").loc[path["rollout"], "token_ids"]
    assert [row["token"] for row in path_rows(run, 0, view)] == ids.tolist()


def test_the_values_are_at_the_boundaries_of_the_tokens(run, view):
    data = payload(run, view)
    values = records(data["values"])
    assert len(values) == len(data["tokens"]) + 1
    assert [value["value"] for value in values[:-1]] == pytest.approx(
        [row["value"] for row in path_rows(run, 0, view)], rel=1e-3
    )


@pytest.mark.parametrize("convention", ["on_policy-full-off", "pooled-full-off", "stratified-full-off"])
def test_the_value_is_the_success_of_the_children_or_of_the_node_whichever_is_known_better(run, view, convention):
    from_children = 0
    view, columns = view.but(convention=convention), ["success", "success_low", "success_high"]
    nodes = run.query("tree_nodes", question=0, convention=convention, asked=[], unfolded=[], most=[], limit=10**6)
    for row in path_rows(run, 0, view):
        kids = nodes[(nodes["parent"] == row["node"]) & nodes["success"].notna()]
        share = kids["p_student"] / kids["p_student"].sum()
        own = nodes[nodes["node"] == row["node"]].iloc[0][columns].tolist()
        p, low, high = (kids[name] for name in columns)
        covered, mean = min(1.0, kids["p_student"].sum()), (share * p).sum()
        arms = [np.sqrt(((share * arm) ** 2).sum()) for arm in (p - low, high - p)]
        ends = covered * max(0, mean - arms[0]), covered * min(1, mean + arms[1]) + 1 - covered
        found = [row["value"], row["value_low"], row["value_high"]]
        if ends[1] - ends[0] < own[2] - own[1]:
            assert found == pytest.approx([mean, *ends])
            assert ends[0] <= mean <= ends[1]
            from_children += 1
        else:
            assert found == pytest.approx(own)
    assert from_children


def test_all_children_are_shown_or_counted(run, view):
    for node, card in path_cards(run, 0, view).items():
        children = run.query("branches", question=0, node=node, convention=view.convention)
        assert len(card["children"]) + card["more"] == len(children)
        assert sum(child[VISITS] for child in card["children"]) + card["unseen"] == children["visits"].sum()
        assert len(card["children"]) <= SHOWN


def test_the_taken_child_is_always_shown_and_those_of_s_u_come_first(run, view):
    for card in path_cards(run, 0, view).values():
        assert sum(child[TAKEN] for child in card["children"]) == 1
        significant = [child[SIGNIFICANT] for child in card["children"]]
        assert significant == sorted(significant, reverse=True)


def test_gradients_are_those_of_the_children_in_s_u(run, view):
    measure = {"objective": view.objective, "convention": view.convention}
    for node, card in path_cards(run, 0, view).items():
        stored = run.query("token_gradients", question=0, node=node, **measure)
        stored = stored[stored["teacher"] == view.teacher]
        shown = [child[CHILD_COLUMNS.index("ideal")] for child in card["children"] if child[SIGNIFICANT]]
        assert sorted(shown) == pytest.approx(sorted(stored["ideal"]), rel=1e-3)


@pytest.mark.parametrize("colour", [key for key, one in colours().items() if not one.optional])
def test_the_payload_is_plain_small_json_for_every_colour(run, view, colour):
    data = payload(run, view.but(colour=colour))
    text = json.dumps(data, allow_nan=False)
    assert len(text) < 1500 * len(data["tokens"])
    low = -1 if legend(colour).kind == "diverging" else 0
    values = [token["value"] for token in data["tokens"] if token["value"] is not None]
    assert values and all(low <= value <= 1 for value in values)


def test_another_teacher_has_other_scores_on_the_same_tokens(run, view):
    one, other = payload(run, view), payload(run, view.but(teacher="Self-1C"))
    assert [token["text"] for token in one["tokens"]] == [token["text"] for token in other["tokens"]]
    assert one["tokens"] != other["tokens"] and one["scores"] != other["scores"]
    assert one["values"] == other["values"]


def test_without_a_teacher_success_is_still_known(run, view):
    data = payload(run, view.but(teacher=None))
    assert all(token["value"] is None for token in data["tokens"])
    assert data["values"] == payload(run, view)["values"]


def test_pooled_success_is_counted_over_all_rollouts(run, view):
    rows = path_rows(run, 0, view.but(convention="pooled-full-off"))
    nodes = run.query("nodes", question=0).set_index("node")
    assert [row["success_visits"] for row in rows] == [nodes.loc[row["child"], "rollouts"] for row in rows]


def test_filters_take_the_colour_and_nothing_else(run, view):
    plain, filtered = payload(run, view), payload(run, view.but(visits=10**6))
    assert all(token["value"] is None and token["settled"] is None for token in filtered["tokens"])
    assert [token["decision"] for token in filtered["tokens"]] == [token["decision"] for token in plain["tokens"]]


def test_only_decision_points_pass_where_only_they_are_wanted():
    assert passes({"decision": True}, ViewState(decisions=True))
    assert not passes({"decision": False}, ViewState(decisions=True))
    assert not passes({}, ViewState(decisions=True))


def test_more_children_can_be_asked_for():
    assert passes({"children": 3}, ViewState(children=3))
    assert not passes({"children": 2}, ViewState(children=3))
    assert passes({"children": None}, ViewState(children=2))


@pytest.mark.parametrize(
    ("colour", "row", "value"),
    [
        ("alignment", {"alignment": -0.5}, -0.5),
        ("p_positive", {"p_positive": 0.75}, 0.5),
        ("gain", {"gain": 0.1}, 0.5),
        ("kl", {"kl_student_teacher": 9.0}, 1.0),
        ("difference", {"p_teacher": 0.2, "p_student": 0.5}, -0.3),
        ("success", {"success": 0.25}, 0.25),
        ("alignment", {"alignment": float("nan")}, None),
        ("difference", {"p_teacher": None, "p_student": 0.5}, None),
    ],
)
def test_a_colour_is_between_its_ends(colour, row, value):
    scale = 0.2 if colour in ("gain", "kl") else 1.0
    assert colour_value(colour, row, scale) == pytest.approx(value)


@pytest.mark.parametrize("colour", colours())
@pytest.mark.parametrize("scale", [1.0, 0.75])
def test_the_ends_of_a_legend_are_where_the_colour_ends(colour, scale):
    low, high = legend(colour).payload(scale)["ends"]
    one = MEASURES[colour]
    row = {one.minus: 0.0} if one.minus else {}
    assert colour_value(colour, row | {one.column: high}, scale) == pytest.approx(1)
    assert colour_value(colour, row | {one.column: low}, scale) == pytest.approx(-1 if one.kind == "diverging" else 0)


def test_a_table_of_a_payload_is_read_back_by_name():
    assert records(table(("a", "b"), [[1, None], None])) == [{"a": 1, "b": None}, {}]


def test_a_sign_is_settled_when_the_interval_leaves_out_zero():
    assert settled("alignment", {"alignment": 0.5, "low": 0.1, "high": 0.9}) is True
    assert settled("alignment", {"alignment": 0.5, "low": -0.1, "high": 0.9}) is False
    assert settled("gain", {"gain": -1, "gain_low": -2, "gain_high": -0.5}) is True
    assert settled("advantage", {"advantage": 0.5}) is None
    assert settled("alignment", {"alignment": None}) is None


def test_paths_are_counted_by_outcome(run):
    names = path_names(run.query("paths", question=0))
    assert sorted(names.values()) == ["correct 1", "incorrect 1"]


def test_means_of_a_path_are_over_its_decision_points_only():
    rows = [{"decision": True, "alignment": 1.0, "gain": None}, {"decision": True, "alignment": 0.0, "gain": 0.5},
            {"decision": False, "alignment": -1.0, "gain": 9}]  # fmt: skip
    heading = path_heading(rows, "correct 1")
    assert heading["decisions"] == 2
    assert heading["alignment"] == [0.5, 2]
    assert heading["gain"] == [0.5, 1]
    assert path_heading([], "correct 1")["alignment"] == [None, 0]


@pytest.mark.parametrize(
    ("token", "spelling", "shown"),
    [
        (5, b" a\n", [" a⏎", False]),
        (2, b"<|im_end|>", ["⟨end⟩", True]),
        (-1, None, ["all other tokens", True]),
        (7, None, ["⟨token 7⟩", True]),
        (8, "⟨end⟩".encode(), ["⟨end⟩", False]),
    ],
)
def test_marks_of_the_program_are_distinguished_from_model_output(token, spelling, shown):
    assert spelled(token, spelling, frozenset({2})) == shown


def test_the_end_of_a_path_is_a_mark(run, view):
    last = payload(run, view)["tokens"][-1]
    assert (last["text"], last["mark"]) == ("⟨end⟩", True)


def test_a_token_that_has_no_shape_of_its_own_is_seen():
    assert visible("\u200d".encode()) == "⟨U+200D⟩"
    assert visible("\u0301x".encode()) == "◌\u0301x"
