"""The Tree page on a finished run, with links to missing things, and on an empty cache."""

import shutil
from functools import partial

import pytest

from odd.method.measures import colours
from odd.views.legend import legend_html
from odd.views.scores import legend, records
from pages.parts import teacher_context
from tests.pages.drawn import payload_of
from tests.runs import change


@pytest.fixture
def open_tree(open_page):
    return partial(open_page, "tree")


@pytest.fixture
def copy(finished, tmp_path):
    """A folder with a copy of the finished run, and the file to modify."""
    (tmp_path / "cache").mkdir()
    path = shutil.copy(finished[1], tmp_path / "cache")
    return tmp_path, path


def component(app, key):
    """The payload of a component; None if it is not on the page."""
    for found in app.get("bidi_component"):
        if found.key == key:
            return payload_of(found.proto)
    return None


def words(app):
    return " ".join(part.value for kind in (app.info, app.caption, app.markdown, app.warning) for part in kind)


def test_a_run_opens_at_a_question_with_its_path(finished, open_tree):
    app = open_tree(finished[0].cache.parent)
    data = component(app, "token-path")
    assert data["heading"]["title"] == "Path, correct 1"
    assert len(data["tokens"]) == data["heading"]["tokens"]
    assert "Nothing is pinned" in words(app)


def test_all_choices_are_there_and_show_what_the_link_says(finished, open_tree):
    app = open_tree(
        finished[0].cache.parent, teacher="Self-1C", colour="gain", children="3", visits="7", decisions="yes"
    )
    shown = {box.label: box.value for box in app.selectbox}
    assert shown["teacher"] == "Self-1C" and shown["colour by"] == "gain"
    assert set(shown) == {"run", "question", "path", "teacher", "objective", "convention", "colour by"}
    assert [box.value for box in app.number_input] == [3, 7]
    assert app.toggle[0].value is True


def test_a_choice_goes_into_the_address_and_changes_the_text(finished, open_tree):
    app = open_tree(finished[0].cache.parent)
    before = component(app, "token-path")
    next(box for box in app.selectbox if box.label == "teacher").set_value("Self-1C").run()
    assert not app.exception
    assert app.query_params["teacher"] == "Self-1C"
    assert component(app, "token-path")["cards"] != before["cards"]


def test_a_pinned_token_shows_its_children_and_rollouts_to_read(finished, open_tree):
    app = open_tree(finished[0].cache.parent, token="0")
    assert "Pinned: token 0" in words(app)
    assert app.dataframe[0].value["taken"].sum() == 1
    assert component(app, "continuations")["groups"]


def test_another_draw_keeps_the_address(finished, open_tree):
    app = open_tree(finished[0].cache.parent, token="0")
    address, drawn = dict(app.query_params), component(app, "continuations")
    next(button for button in app.button if button.label == "another draw").click().run()
    assert dict(app.query_params) == address
    assert component(app, "continuations") != drawn


def with_prompt(app):
    """The page with what the teacher is shown."""
    app.session_state[teacher_context.OPEN] = True
    app.run()
    assert not app.exception
    return app


def test_the_teachers_prompt_is_drawn_when_it_is_opened(finished, open_tree):
    app = open_tree(finished[0].cache.parent, question="sum", teacher="Self-1C1W")
    assert not app.code
    with_prompt(app)
    correct, wrong, prompt = (code.value for code in app.code)
    assert correct in prompt and wrong in prompt and "do not imitate" in prompt
    said = words(app).replace("\\", "")
    assert "a correct response by tiny-s" in said and "a wrong response by tiny-s" in said
    assert "tries at temperature 0.7" in said


@pytest.mark.parametrize(
    "stored", ["{", "[1, {}]", '[{"text": "<b>$x$", "correct": 1, "source": ["<i>"], "summarizer": "<u>"}]']
)
def test_any_teacher_prompt_is_shown_as_text(copy, open_tree, stored):
    folder, path = copy
    change(path, f"UPDATE contexts SET demonstrations = '{stored}' WHERE teacher = 'Self-1C'")
    app = with_prompt(open_tree(folder, question="sum", teacher="Self-1C"))
    assert "the full prompt" in words(app) or stored == "{"
    assert all("<" not in part.value.replace("\\<", "") for part in (*app.caption, *app.markdown))


def test_a_missing_token_is_reported_and_the_path_shown(finished, open_tree):
    app = open_tree(finished[0].cache.parent, token="9999")
    assert "no token 9999" in words(app).replace("\\", "")
    assert component(app, "token-path")["position"] is None


def test_a_question_without_paths_says_why_and_shows_rollouts(finished, open_tree):
    app = open_tree(finished[0].cache.parent, question="impossible")
    assert "This question has no path" in words(app)
    assert component(app, "token-path") is None
    assert component(app, "rollouts")["groups"][0]["lines"]


def test_an_empty_cache_says_what_to_do(open_tree, tmp_path):
    assert "no run" in words(open_tree(tmp_path))


def test_a_teacher_without_context_here_says_why(copy, open_tree):
    folder, path = copy
    change(path, "UPDATE contexts SET available = false, reason = 'no *wrong* rollout' WHERE teacher = 'Self-1C1W'",
           "DELETE FROM scores WHERE teacher = 'Self-1C1W'")  # fmt: skip
    app = open_tree(folder, teacher="Self-1C1W")
    assert "no *wrong* rollout" in words(app).replace("\\", "")
    assert component(app, "token-path")["tokens"]


def test_a_run_without_teachers_still_shows_its_paths(copy, open_tree):
    folder, path = copy
    tables = ("teachers", "contexts", "scores", "gradients", "teacher_tokens", "node_teachers")
    change(path, *(f"DELETE FROM {table}" for table in tables))
    app = open_tree(folder, token="0")
    assert "no teacher" in words(app)
    assert records(component(app, "token-path")["values"])[0]["value"] is not None


def test_a_path_without_decision_points_says_what_would_help(copy, open_tree):
    folder, path = copy
    change(path, "UPDATE scores SET decision = false")
    assert "no decision point" in words(open_tree(folder))


def test_hostile_questions_and_notes_are_text(copy, open_tree):
    folder, path = copy
    hostile = "<img src=x onerror=alert(1)> $x$ :red[y] [a](javascript:b)"
    change(path, f"UPDATE questions SET text = '{hostile}', note = '{hostile}', answer = '{hostile}'")
    app = open_tree(folder)
    assert hostile in [part.value for part in app.text]
    assert all(hostile not in part.value for kind in (app.caption, app.markdown, app.info) for part in kind)


@pytest.mark.parametrize("colour", colours())
def test_a_legend_names_its_quantity_and_both_ends(colour):
    own = legend(colour)
    text = legend_html(own, 0.35)
    assert own.low in text and own.high in text and "0.35" in text
    assert ("sign not settled" in text) == own.interval
