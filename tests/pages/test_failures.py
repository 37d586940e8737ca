"""A page that fails says in one line what is wrong, and links to the other runs."""

import os
import shutil
from pathlib import Path

import pytest

from pages.shared import failures
from tests.impossible import CASES, OPENING, POSSIBLE, THOROUGH, change
from tests.pages.test_frame import PAGES

OTHER = "other-00000000"


@pytest.fixture
def spoilt(run):
    """Change the run in the cache by SQL."""
    return lambda statements: change(run, statements)


@pytest.fixture
def other(run):
    """A sound run beside it."""
    shutil.copy(run, run.with_name(f"{OTHER}.duckdb"))


def shown(app):
    assert not app.exception
    return " ".join(part.value for part in (*app.error, *app.info)).replace("\\", "")


ON_PAGES = [*THOROUGH, *POSSIBLE, *list(OPENING)[::6]]


@pytest.mark.parametrize("number, case", list(enumerate(ON_PAGES)), ids=str)
def test_a_page_shows_impossible_content_in_one_line(spoilt, open_page, number, case):
    run = spoilt(CASES[case])
    page = PAGES[number % len(PAGES)]
    said = shown(open_page(page, run.parents[1], run=run.stem))
    assert "bug" not in said
    if case in OPENING and page != "runs":
        assert "has impossible content" in said


@pytest.mark.parametrize("page", PAGES)
def test_an_unexpected_error_in_a_sound_run_is_not_called_damage(finished, open_page, monkeypatch, page, caplog):
    def fail(*_, **__):
        raise ValueError("two **lines**\nof text")

    monkeypatch.setattr("pages.shared.frame.header", fail)
    monkeypatch.setattr("pages.parts.run_state.header", fail)
    app = open_page(page, finished[0].cache.parent, run=finished[1].stem)
    assert "(ValueError: two **lines**)" in shown(app).replace("\u2060", "")
    assert "probably a bug in ODD" in shown(app)
    assert "of text" in caplog.text
    assert any("All runs" in link.proto.label for link in app.get("page_link"))


def test_a_failed_page_links_to_other_runs(other, spoilt, open_page):
    run = spoilt(OPENING["a cycle of two nodes"])
    app = open_page("tree", run.parents[1], run=run.stem)
    assert "a parent that is not before its child" in shown(app)
    assert [link for link in app.get("page_link") if OTHER in link.proto.label]


def test_an_impossible_run_leaves_the_others_on_the_list(other, spoilt, open_page):
    run = spoilt(OPENING["no questions"])
    app = open_page("runs", run.parents[1])
    assert not shown(app)
    listed = " ".join(part.value for part in app.markdown).replace("\\", "").replace("\u2060", "")
    assert run.stem in listed and OTHER in listed


def test_the_server_shows_errors_of_callbacks_and_fragments_in_the_same_way(monkeypatch, run):
    monkeypatch.setattr(failures, "read_view", lambda: (failures.ViewState(run=run.stem), []))
    said = []
    monkeypatch.setattr(failures.st, "error", lambda text, icon: said.append(text))
    assert failures.show_failure(ZeroDivisionError("by nothing")) is True
    assert "ZeroDivisionError" in said[0] and "probably a bug" in said[0]


@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "/dev/full", "folder", "nowhere"])
def test_what_is_named_like_a_run_and_is_no_file_is_passed_over(run, open_page, target):
    odd_one = Path("cache") / "a-00000000.duckdb"
    if target == "pipe":
        os.mkfifo(odd_one)
    elif target == "folder":
        odd_one.mkdir()
    else:
        odd_one.symlink_to(target)
    for page in ("runs", "tree"):
        assert not shown(open_page(page, run.parents[1]))
    assert "a-00000000" in shown(open_page("tree", run.parents[1], run="a-00000000"))
