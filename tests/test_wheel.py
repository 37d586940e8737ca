"""The installed wheel: its contents, and that its commands work in an empty folder as they do in a checkout.

The environment has ODD from the wheel only. All other packages come from the environment that runs the tests, through
a .pth file, because installing torch and the rest again would take minutes. This proves that the wheel is complete,
that its command exists, and that nothing in it needs the checkout. It does not prove that the declared dependencies
are complete or that pip finds them; CONTRIBUTING.md lists the tested versions.
"""

import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

import odd
from scripts.rooms import ROOT

pytestmark = pytest.mark.slow
PATIENCE = 240
LARGEST = 20_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, as pip builds it from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    # use the environment's pinned backend instead of the newest
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Command folder of an environment with the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    call(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "bin"


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def environment(**changes):
    """Return the environment without variables that lead to the checkout or change behaviour."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "ODD_CACHE")}
    return kept | {"OMP_NUM_THREADS": "1"} | changes


def call(*command, **changes):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment(**changes), timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_of(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename for entry in archive.infolist()}


def kept(folder):
    """Return the files of a folder of the checkout, without Python's caches."""
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.*") if path.suffix != ".pyc"}


def test_it_is_small(wheel):
    assert wheel.stat().st_size < LARGEST


def test_it_adds_one_top_level_package(wheel):
    assert {name.split("/")[0] for name in files_of(wheel)} == {"odd", f"odd_diagnostics-{odd.__version__}.dist-info"}


def test_it_contains_the_engine_with_its_data_and_the_dashboard_with_the_example_run(wheel):
    around = kept("pages") | kept(".streamlit") | {"app.py", *kept("cache")}
    example = {name for name in around if re.fullmatch(r"cache/example(\.toml|-[0-9a-f]{8}\.duckdb)", name)}
    dashboard = {name for name in around if not name.startswith("cache/")} | example
    assert len(example) == 2
    expected = kept("odd") | {f"odd/_dashboard/{name}" for name in dashboard}
    assert {name for name in files_of(wheel) if name.startswith("odd/")} == expected


def test_it_contains_the_license_and_third_party_notices(wheel):
    assert {Path(name).name for name in files_of(wheel) if "/licenses/" in name} == {"LICENSE", "NOTICE"}


def test_imports_come_from_the_wheel(installed, empty):
    place = call(installed / "python", "-c", "import odd; print(odd.__file__)").strip()
    assert Path(place).is_relative_to(installed.parent)


def test_a_notebook_opens_the_example_run(installed, empty):
    code = "import odd; print(len(odd.open_run('example').tree()._repr_html_()))"
    assert int(call(installed / "python", "-c", code)) > 10_000


def test_the_command_prints_its_version(installed, empty):
    assert call(installed / "odd", "--version") == f"odd {odd.__version__}\n"


def test_help_names_the_command_as_called(installed, empty):
    told = call(installed / "odd", "--help")
    assert "Usage: odd " in told
    assert all(name in told for name in ("demo", "app", "run", "add-teacher"))


def test_a_dashboard_job_stores_its_run_in_the_cache_from_the_environment(installed, empty):
    config = {"questions": {"limit": 1}, "sampling": {"initial_rollouts": 8, "max_new_tokens": 16}, "teachers": []}
    code = (
        "import time; from odd.config import parse_config; from odd.pipeline.jobs import start_run, tail\n"
        f"job = start_run(parse_config({config!r}))\n"
        "while job.alive: time.sleep(0.1)\n"
        "print(job.state, tail(job.log))"
    )
    told = call(installed / "python", "-c", code, ODD_CACHE=str(empty / "elsewhere"))
    assert told.startswith("finished")
    assert list((empty / "elsewhere").glob("tiny-*.duckdb"))


@contextmanager
def serving(installed, folder, *arguments):
    """Yield the address of the dashboard that a command starts in a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "log.txt"
    command = [str(installed / "odd"), *arguments, "--headless", "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f"http://localhost:{port}"
    finally:
        process.terminate()
        process.wait(30)


def answers(port):
    try:
        return urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5).status == 200
    except OSError:
        return False


@pytest.fixture
def page(chromium):
    """A browser page."""
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    yield page
    page.close()


def test_demo_computes_its_run_in_the_cache_of_the_working_directory_and_shows_it(installed, empty, page):
    with serving(installed, empty, "demo", "--limit", "1") as url:
        (run,) = (empty / "cache").glob("demo-*.duckdb")
        page.goto(f"{url}/tree?run={run.stem}")
        expect(page.locator("svg.tree")).to_be_visible(timeout=60_000)
        expect(page.locator(".lines .token").first).to_be_visible(timeout=60_000)


def test_app_offers_the_example_run_in_an_empty_folder_with_the_dashboards_theme(installed, empty, page):
    with serving(installed, empty, "app") as url:
        page.goto(url)
        page.get_by_role("button", name="Open the example run").click()
        expect(page.locator(".row").first).to_be_visible(timeout=60_000)
        assert re.search(r"/questions\?.*run=example-", page.url)
        colour = "node => getComputedStyle(node).getPropertyValue('--st-primary-color')"
        assert page.locator(".odd").first.evaluate(colour) == "#1f5fbf"
    (run,) = (empty / "cache").glob("*.duckdb")
    assert run.name in {path.name for path in (ROOT / "cache").glob("example-*.duckdb")}
