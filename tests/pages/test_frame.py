"""Every page opens through the app with any cache; the address holds the state of all pages."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from odd.views.links import ViewState
from tests.runs import change

ROOT = Path(__file__).parents[2]
PAGES = ("runs", "questions", "tree", "compare", "findings", "screening")


def launch(page, **query):
    """Open the app at a page by a link."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def view_of(app):
    lists = {name: [value] if isinstance(value, str) else value for name, value in app.query_params.items()}
    view, problems = ViewState.from_query(lists)
    assert not problems
    return view


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_an_empty_cache(page, cache):
    app = launch(page)
    assert not app.exception
    assert "odd run" in " ".join(part.value for part in (*app.info, *app.markdown, *app.caption, *app.code))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_where_there_is_no_cache(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not launch(page).exception


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_a_finished_run(page, shown):
    app = launch(page)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_a_hostile_run(page, hostile, monkeypatch):
    monkeypatch.chdir(hostile)
    assert not launch(page).exception


@pytest.mark.parametrize("page", PAGES[1:])
def test_the_address_contains_the_full_view(page, shown):
    app = launch(page)
    assert set(app.query_params) == set(ViewState().to_query())
    assert view_of(app).run == shown.stem


@pytest.mark.parametrize("page", PAGES[1:])
def test_what_a_link_asks_for_is_shown(page, shown):
    asked = {"run": shown.stem, "question": "compare", "path": "1", "teacher": "Self-1C", "colour": "gain"}
    view = view_of(launch(page, **asked))
    assert {name: str(getattr(view, name)) for name in asked} == asked


@pytest.mark.parametrize("page", PAGES[1:])
def test_a_question_without_paths_can_be_opened(page, shown):
    app = launch(page, run=shown.stem, question="impossible")
    assert not app.exception
    assert view_of(app).question == "impossible"


@pytest.mark.parametrize("page", PAGES[1:])
def test_a_run_that_does_not_exist_is_named_and_near_ones_are_offered(page, shown):
    app = launch(page, run="smal-00000000", question="sum")
    assert not app.exception
    assert "smal" in app.error[0].value
    assert [link for link in app.get("page_link") if shown.stem in link.proto.label]


@pytest.mark.parametrize("page", PAGES[1:])
@pytest.mark.parametrize(
    "text", ["../../etc/passwd", "/etc/passwd", "cache/../small", "a\0b", "'; DROP TABLE nodes; --"]
)
def test_a_run_in_a_link_is_not_a_path(page, text, shown):
    app = launch(page, run=text)
    assert not app.exception
    assert "There is no run" in app.error[0].value.replace("\\", "")


@pytest.mark.parametrize("page", PAGES[1:])
def test_a_link_that_cannot_be_read_says_so(page, shown):
    app = launch(page, run=shown.stem, token="x", colour="pink", path="99", teacher="nobody")
    assert not app.exception
    told = " ".join(warning.value for warning in app.warning)
    assert all(word in told for word in ("token", "colour", "99", "nobody"))


def test_a_run_that_is_deleted_while_it_is_open_does_not_crash(run):
    app = launch("tree", run=run.stem)
    run.unlink()
    app.run()
    assert not app.exception
    assert run.stem.split("-")[0] in app.error[0].value


def test_a_run_replaced_while_open_is_read_again(run, tmp_path):
    app = launch("tree", run=run.stem)
    newer = Path(shutil.copy(run, tmp_path / "newer"))
    change(newer, f"UPDATE questions SET id = 'renamed' WHERE id = '{view_of(app).question}'")
    newer.replace(run)
    app.run()
    assert not app.exception
    assert "renamed" in [option.split(":")[0] for option in question_box(app).options]


def question_box(app):
    return next(box for box in app.selectbox if box.label == "question")


def test_a_damaged_run_is_distinguished_from_a_missing_one(run):
    run.write_bytes(run.read_bytes()[:9000])
    app = launch("tree", run=run.stem)
    assert not app.exception


def test_two_choices_in_quick_succession_are_both_kept(shown):
    app = launch("tree", run=shown.stem)
    before = dict(app.query_params)
    teachers = next(box for box in app.selectbox if box.label == "teacher")
    teachers.select("Self-1C").run()
    # the browser sends the next click before it has applied the new address
    app.query_params.clear()
    for name, value in before.items():
        app.query_params[name] = value
    next(box for box in app.selectbox if box.label == "objective").select("forward_kl").run()
    assert (view_of(app).teacher, view_of(app).objective) == ("Self-1C", "forward_kl")


def test_choosing_after_going_back_starts_from_the_restored_view(shown):
    app = launch("tree", run=shown.stem)
    before = dict(app.query_params)
    next(box for box in app.selectbox if box.label == "teacher").select("Self-1C").run()
    app.query_params.clear()
    for name, value in before.items():
        app.query_params[name] = value
    app.run()
    next(box for box in app.selectbox if box.label == "objective").select("forward_kl").run()
    assert (view_of(app).teacher, view_of(app).objective) == ("tiny-m", "forward_kl")
