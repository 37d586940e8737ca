"""The page is launched as a browser would, on a finished run and on an empty cache."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def open_page(monkeypatch):
    def launch(folder):
        monkeypatch.chdir(folder)
        return AppTest.from_file(str(ROOT / "pages/runs.py"), default_timeout=30).run()

    return launch


def test_an_empty_cache_says_how_to_make_a_run(open_page, tmp_path):
    page = open_page(tmp_path)
    assert not page.exception
    assert "odd run" in page.info[0].value


def test_a_finished_run_shows_its_teachers(open_page, finished):
    config, path = finished
    page = open_page(config.cache.parent)
    assert not page.exception
    assert page.dataframe[0].value["run"].tolist() == [path.stem]
    assert set(page.dataframe[1].value["teacher"]) == {"tiny-m", "Self-1C", "Self-1C1W", "Self-check"}
