"""The app opened by a link, with runs to show."""

import shutil
from functools import cache as cached
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from tests.hostile import make_hostile
from tests.runs import change

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def installed_packages_are_searched_once():
    """Search the installed packages for components once, rather than for each opening of the app."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cached(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def open_page(monkeypatch):
    """Open the app at a page, showing the `cache` of a folder; fail on an exception."""

    def launch(page, folder, **query):
        monkeypatch.chdir(folder)
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.switch_page(f"pages/{page}.py")
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception
        return app

    return launch


@pytest.fixture
def changed(finished, tmp_path):
    """A copy of the finished run in its own cache, modified by SQL."""

    def change_copy(*statements):
        folder = tmp_path / "cache"
        folder.mkdir()
        change(shutil.copy(finished[1], folder), *statements)
        return tmp_path

    return change_copy


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache in the folder used by the app."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def shown(finished, monkeypatch):
    """The finished run in the folder used by the app, for tests that leave it as it is."""
    monkeypatch.chdir(finished[0].cache.parent)
    return finished[1]


@pytest.fixture(scope="session")
def hostile(finished, tmp_path_factory):
    """A folder with a run with attacks in every text, for tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "cache").mkdir()
    make_hostile(finished[1], folder / "cache")
    return folder


@pytest.fixture
def run(cache, finished):
    """A finished run in the cache."""
    return Path(shutil.copy(finished[1], cache))
