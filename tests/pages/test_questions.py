"""The Questions page on a finished run, on a running one, without teachers, and on hostile text."""

import re
from functools import partial

import pytest

from tests.hostile import QUESTIONS
from tests.pages.drawn import payload_of


@pytest.fixture
def open_questions(open_page):
    return partial(open_page, "questions")


def table(app):
    (found,) = [part.proto for part in app.get("bidi_component") if part.proto.component_name == "odd_table"]
    return payload_of(found)


def ids(app):
    return [row["key"] for row in table(app)["rows"]]


def said(app):
    return " ".join(element.value for kind in (app.info, app.warning) for element in kind)


def test_every_question_has_a_row_and_every_teacher_a_column(open_questions, finished):
    app = open_questions(finished[0].cache.parent)
    assert sorted(ids(app)) == ["compare", "impossible", "sum"]
    titles = [column["title"] for column in table(app)["columns"]]
    assert {"tiny-m", "Self-1C", "Self-1C1W", "Self-check", "gap", "pass rate"} <= set(titles)
    assert "stage" not in titles and not said(app)


def test_the_address_filters_and_sorts(open_questions, finished):
    folder = finished[0].cache.parent
    assert ids(open_questions(folder, search="GREATER", sort="text")) == ["compare"]
    assert ids(open_questions(folder, difficulty="never")) == ["impossible"]
    assert ids(open_questions(folder, sort="pass_rate"))[0] == "impossible"
    assert "impossible" not in ids(open_questions(folder, having="decisions"))


def test_a_widget_writes_what_is_chosen_into_the_address(open_questions, finished):
    app = open_questions(finished[0].cache.parent)
    app.selectbox(key="view-difficulty").select("never").run()
    assert "never" in app.query_params["difficulty"] and ids(app) == ["impossible"]
    app.text_input(key="view-search").input("nothing like it").run()
    assert ids(app) == [] and table(app)["nothing"]


def test_a_column_that_does_not_exist_is_named(open_questions, finished):
    app = open_questions(finished[0].cache.parent, sort="-alignment:nobody")
    assert "alignment" in said(app) and len(ids(app)) == 3


def test_an_excluded_question_says_why(open_questions, finished):
    rows = {row["key"]: row["cells"][1] for row in table(open_questions(finished[0].cache.parent))["rows"]}
    assert "excluded" in rows["impossible"]["note"]


def test_a_running_run_shows_stages_and_one_without_scores_says_so(open_questions, changed):
    folder = changed(
        "UPDATE meta SET value = 'running' WHERE key = 'status'",
        "UPDATE questions SET stage = 'sampled'",
        "DELETE FROM scores",
    )
    app = open_questions(folder)
    assert "stage" in [column["title"] for column in table(app)["columns"]]
    assert "0 scored so far" in table(app)["caption"] and "No question is scored yet" in said(app)


def test_without_decision_points_the_page_says_what_would_find_some(open_questions, changed):
    app = open_questions(changed("UPDATE scores SET decision = false"))
    assert "n_sig" in said(app) and len(ids(app)) == 3


def test_without_teachers_the_questions_are_listed_all_the_same(open_questions, changed):
    tables = "teachers", "contexts", "scores", "gradients", "node_teachers", "teacher_tokens"
    app = open_questions(changed(*(f"DELETE FROM {name}" for name in tables)))
    assert "no teacher" in said(app) and len(ids(app)) == 3


def test_hostile_text_stays_text(open_questions, hostile):
    app = open_questions(hostile)
    assert sorted(ids(app)) == sorted(QUESTIONS.values())
    assert not any(re.search(r"(?<!\\)[<$]", markdown.value) for markdown in app.markdown)


def test_help_explains_with_formulas_and_can_be_searched(open_questions, finished):
    app = open_questions(finished[0].cache.parent)
    assert not app.get("latex")
    app.button(key="help").click().run()
    assert not app.exception and len(app.latex) > 20
    assert any("Decision point" in markdown.value for markdown in app.markdown)
