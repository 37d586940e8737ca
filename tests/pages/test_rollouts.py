"""The Rollouts page: filters and search in the address, wrong answers, the text, and the way to the tree."""

from functools import partial

import pytest

from tests.pages.drawn import payload_of


@pytest.fixture
def open_rollouts(open_page, finished):
    return partial(open_page, "rollouts", finished[0].cache.parent, question="sum")


def value(app, name):
    """A parameter of the address."""
    found = app.query_params[name]
    return found[-1] if isinstance(found, list) else found


def component(app, key):
    return next((payload_of(one.proto) for one in app.get("bidi_component") if one.key == key), None)


def test_all_rollouts_of_the_question_are_listed(open_rollouts):
    app = open_rollouts()
    data = component(app, "rollout-table")
    assert len(data["rows"]) == 50
    assert {box.label for box in app.selectbox} == {"run", "question", "outcome", "stage"}
    next(button for button in app.button if button.label == "next").click().run()
    assert value(app, "page") == "1"
    assert component(app, "rollout-table")["rows"][0]["key"] == "50"


def test_a_link_restores_filters_and_search(open_rollouts):
    app = open_rollouts(ended="wrong", stage="initial", find="=", answer="")
    shown = {box.label: box.value for box in app.selectbox}
    assert (shown["outcome"], shown["stage"]) == ("wrong", "initial")
    assert app.text_input[0].value == "="
    rows = component(app, "rollout-table")["rows"]
    assert all(any(piece["hit"] for piece in row["cells"][2]) for row in rows)


def test_a_filter_goes_into_the_address_and_starts_at_the_first_page(open_rollouts):
    app = open_rollouts()
    next(button for button in app.button if button.label == "next").click().run()
    next(box for box in app.selectbox if box.label == "outcome").set_value("correct").run()
    assert value(app, "ended") == "correct" and value(app, "page") == "0"
    assert all(row["cells"][1] for row in component(app, "rollout-table")["rows"])


def test_a_rollout_is_read_and_opened_in_the_tree(open_rollouts, monkeypatch):
    opened = []
    monkeypatch.setattr("streamlit.switch_page", lambda page, query_params: opened.append((page, query_params)))
    app = open_rollouts(rollout="3")
    assert component(app, "rollout-text")["rollout"] == 3
    next(button for button in app.button if button.label == "Open in the tree").click().run()
    assert not app.exception
    [(page, query)] = opened
    assert page == "pages/tree.py" and query["question"] == ["sum"] and query["path"] != [""]


def test_a_rollout_that_does_not_exist_is_said(open_rollouts):
    assert any("no rollout 99999" in info.value for info in open_rollouts(rollout="99999").info)


def test_a_question_without_paths_has_rollouts_too(open_page, finished):
    app = open_page("rollouts", finished[0].cache.parent, question="impossible")
    assert component(app, "rollout-table")["rows"] and component(app, "wrong-answers")["rows"]
