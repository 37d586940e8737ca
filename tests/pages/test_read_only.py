"""A read-only dashboard: every page shows its run, and nothing offers a change."""

import shutil

import pytest

from odd.access import READ_ONLY

PAGES = "runs", "questions", "tree", "rollouts", "compare", "findings", "screening"
CHANGING = {"New run", "Upload", "Resume", "Run", "Stop", "Try again", "Dismiss", "Set up a run", "Run the demo"}


@pytest.fixture
def folder(finished, tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    shutil.copy(finished[1], tmp_path / "cache")
    monkeypatch.setenv(READ_ONLY, "1")
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_its_run_without_an_offer_to_change_it(open_page, folder, finished, page):
    app = open_page(page, folder, run=finished[1].stem)
    assert not app.error and not {button.label for button in app.button} & CHANGING
    assert not app.get("menu_button")


def test_an_empty_cache_says_that_nothing_can_be_added(open_page, tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv(READ_ONLY, "1")
    app = open_page("runs", tmp_path)
    assert "read-only" in app.info[0].value and not {button.label for button in app.button} & CHANGING


def test_a_dialog_of_an_earlier_session_does_not_open(open_page, folder):
    app = open_page("runs", folder)
    app.session_state["runs-dialog"] = ("new", None)
    assert not app.run().exception and "runs-dialog" not in app.session_state
