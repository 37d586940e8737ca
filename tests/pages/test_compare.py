"""The Compare page on a finished run, with few teachers, and with links to missing things."""

from functools import partial

import pytest

from odd.views.links import NO_BRANCH
from pages.parts import compare_pairs
from tests.pages.drawn import payload_of

TEACHERS = ["tiny-m", "Self-1C", "Self-1C1W", "Self-check"]


@pytest.fixture
def open_compare(open_page):
    return partial(open_page, "compare")


def payloads(app):
    """The payloads of the page's components, by name."""
    found = {}
    for part in app.get("bidi_component"):
        proto = part.proto
        if proto.json:
            found[proto.component_name.removeprefix("odd_")] = payload_of(proto)
    return found


def said(app):
    return " ".join(element.value for kind in (app.info, app.warning, app.markdown) for element in kind)


def test_all_teachers_are_compared_at_first(open_compare, finished):
    app = open_compare(finished[0].cache.parent)
    assert app.multiselect[0].value == TEACHERS
    drawn = payloads(app)
    assert {row["teacher"] for row in drawn["teacher_table"]["rows"]} == set(TEACHERS)
    assert {teacher["name"] for teacher in drawn["token_strips"]["teachers"]} == set(TEACHERS)
    assert len(drawn["pair_matrix"]["order"]) == 4
    assert drawn["disagreements"]["rows"]


def test_panels_have_the_teachers_in_one_order(open_compare, finished):
    drawn = payloads(open_compare(finished[0].cache.parent))
    order = [row["teacher"] for row in drawn["teacher_table"]["rows"]]
    assert [teacher["name"] for teacher in drawn["token_strips"]["teachers"]] == order == drawn["pair_matrix"]["order"]


def test_choosing_teachers_without_the_baseline_makes_another_one_the_baseline(open_compare, finished):
    app = open_compare(finished[0].cache.parent)
    app.multiselect[0].set_value(["Self-1C", "Self-1C1W"]).run()
    assert not app.exception and not app.warning
    assert app.query_params["teachers"] == ["Self-1C", "Self-1C1W"]
    assert app.query_params["baseline"] == "Self-1C"


def test_the_baseline_and_the_difference_are_in_the_address(open_compare, finished):
    app = open_compare(finished[0].cache.parent)
    app.selectbox(key="view-baseline").set_value("Self-1C").run()
    app.button_group(key="view-show").set_value("difference").run()
    assert (app.query_params["baseline"], app.query_params["show"]) == ("Self-1C", "difference")
    drawn = payloads(app)
    assert drawn["token_strips"]["difference"]
    assert drawn["teacher_table"]["baseline"] == "Self-1C"
    assert drawn["disagreements"]["pair"][1] == "Self-1C"


def test_two_teachers_need_no_matrix_of_pairs(open_compare, finished):
    drawn = payloads(open_compare(finished[0].cache.parent, teachers=["tiny-m", "Self-1C"]))
    assert "pair_matrix" not in drawn
    assert drawn["disagreements"]["pair"] == ["Self-1C", "tiny-m"]


def test_a_single_teacher_has_nothing_to_be_compared_with(open_compare, finished):
    app = open_compare(finished[0].cache.parent, teachers="tiny-m")
    assert "only one teacher" in said(app)
    drawn = payloads(app)
    assert len(drawn["token_strips"]["teachers"]) == 1
    assert "disagreements" not in drawn


def test_a_pinned_token_with_scores_shows_its_gradients(open_compare, finished):
    folder = finished[0].cache.parent
    first = payloads(open_compare(folder, question="sum"))["token_strips"]
    decision = next(at for at, token in enumerate(first["tokens"]) if token["decision"])
    app = open_compare(folder, question="sum", token=str(decision))
    assert len(app.get("plotly_chart")) == 2
    assert f"Token {decision}" in said(app)


def test_a_pinned_token_without_scores_says_why_there_is_no_gradient(open_compare, finished):
    folder = finished[0].cache.parent
    last = len(payloads(open_compare(folder, question="sum"))["token_strips"]["tokens"]) - 1
    app = open_compare(folder, question="sum", token=str(last))
    assert "There is no gradient here" in said(app)


def test_a_run_without_teachers_has_nothing_to_compare(open_compare, changed):
    tables = ("teachers", "contexts", "scores", "gradients", "node_teachers", "teacher_tokens")
    app = open_compare(changed(*(f"DELETE FROM {table}" for table in tables)))
    assert "no teacher yet" in said(app)


def test_a_run_without_decision_points_says_what_would_find_some(open_compare, changed):
    app = open_compare(changed("DELETE FROM scores", "DELETE FROM gradients"))
    assert "no decision point" in said(app)
    assert payloads(app)["teacher_table"]["rows"][0]["mean"]["value"] is None


def test_a_teacher_that_is_unavailable_for_the_question_says_why(open_compare, changed):
    folder = changed(
        "UPDATE contexts SET available = false, reason = 'no *correct* rollout' WHERE teacher = 'Self-1C'",
        "DELETE FROM scores WHERE teacher = 'Self-1C'",
    )
    strips = payloads(open_compare(folder))["token_strips"]["teachers"]
    assert next(one["note"] for one in strips if one["name"] == "Self-1C") == "not available: no *correct* rollout"


def test_a_question_without_paths_says_so(open_compare, changed):
    app = open_compare(changed("DELETE FROM paths", "DELETE FROM path_tokens"))
    assert "has no path" in said(app)


def test_filters_set_on_another_page_are_named(open_compare, finished):
    app = open_compare(finished[0].cache.parent, decisions="yes", children="3")
    assert any("S\\_u" in caption.value and "decision points" in caption.value for caption in app.caption)


def test_a_token_that_is_followed_to_another_question_leaves_the_tree_of_the_old_one(monkeypatch):
    asked = {}
    monkeypatch.setattr(compare_pairs, "change_view", lambda **parts: asked.update(parts))
    compare_pairs.follow({"question": "sum", "path": 1, "position": 2})
    assert asked == {"question": "sum", "path": 1, "position": 2, "start": None, **NO_BRANCH}


def test_a_hostile_run_opens(open_compare, hostile):
    app = open_compare(hostile)
    assert payloads(app)["token_strips"]["tokens"]
