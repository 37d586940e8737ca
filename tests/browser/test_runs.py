"""The Runs page in a real browser, with real processes: a run started from the form, watched, stopped, resumed; files
downloaded, uploaded and deleted."""

import os
import re
import shutil
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from benchmarks.serving import serving
from odd.pipeline.jobs import list_jobs
from odd.store import RunReader, list_runs
from tests.browser.conftest import eventually
from tests.hostile import FILE

LONG = 180_000
"""Timeout of a small run on a busy machine, in milliseconds."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An app with its own cache: the cache and the address."""
    folder = tmp_path_factory.mktemp("own")
    with serving(folder) as server:
        yield folder / "cache", server.url


@pytest.fixture
def own(served):
    """The same, with an empty cache. Jobs are stopped at the end."""
    cache, address = served
    cache.mkdir()
    yield cache, address
    for job in list_jobs(cache):
        if job.alive:
            os.killpg(job.pid, signal.SIGKILL)
    eventually(lambda: not any(job.alive for job in list_jobs(cache)))
    shutil.rmtree(cache)


@pytest.fixture
def filled(own, finished):
    """The same, with a finished run."""
    cache, address = own
    return cache, address, Path(shutil.copy(finished[1], cache))


def click(page, name, scope=None):
    (scope or page).get_by_role("button", name=name, exact=False).first.click()


def dialog(page):
    return page.get_by_test_id("stDialog")


def fill(page, kind, name, value):
    field = dialog(page).get_by_role(kind, name=name, exact=True)
    field.fill(str(value))
    field.press("Tab")


def set_up(page, title, first, initial, visits):
    """Fill in the form and start."""
    fill(page, "textbox", "title", title)
    fill(page, "spinbutton", "only the first", first)
    fill(page, "spinbutton", "initial rollouts", initial)
    fill(page, "spinbutton", "visits per pair", visits)
    fill(page, "spinbutton", "longest response", 64)
    expect(dialog(page).get_by_text(f"{first} questions, {first * initial:,} initial")).to_be_visible()
    click(page, "Start", dialog(page))
    expect(dialog(page)).to_have_count(0)


def badge(page, run, status):
    return page.locator(f".st-key-run-{run} .stMarkdownBadge").filter(has_text=status)


def choose(page, run, what):
    """Choose from the menu of a run."""
    page.locator(f".st-key-more-{run} button").click()
    page.get_by_role("menuitem", name=what).or_(page.get_by_role("option", name=what)).click()


@pytest.mark.slow
def test_a_run_is_started_from_the_form_watched_and_opened(page, own):
    cache, address = own
    page.goto(address)
    expect(page.get_by_text("There are no runs yet")).to_be_visible(timeout=60_000)
    click(page, "Set up a run")
    set_up(page, "live", 3, 150, 40)
    expect(page.get_by_text("Running")).to_be_visible()
    page.reload()
    live = page.locator("[class*=st-key-live-]")
    expect(live.get_by_text(re.compile(r"question \d of 3"))).to_be_visible(timeout=LONG)
    expect(live.get_by_text("time left")).to_be_visible()
    expect(live.locator("[class*=st-key-browsable-] a").first).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Running")).to_have_count(0, timeout=LONG)
    (info,) = list_runs(cache)
    expect(badge(page, info.run_id, "finished")).to_be_visible()
    page.locator(f".st-key-run-{info.run_id}").get_by_role("link", name="Open").click()
    expect(page).to_have_url(re.compile(rf"/questions\?.*run={info.run_id}"))
    with RunReader(info.path) as reader:
        assert reader.meta["status"] == "finished"
        assert len(reader.query("questions")) == 3


@pytest.mark.slow
def test_a_run_is_stopped_and_resumed(page, filled):
    cache, address, path = filled
    page.goto(address)
    click(page, "New run")
    set_up(page, "long", 2, 20_000, 12)
    live = page.locator("[class*=st-key-live-long-]")
    expect(live.get_by_text(re.compile("initial rollouts: "))).to_be_visible(timeout=LONG)
    page.wait_for_timeout(4000)  # the page has refreshed several times by now; its other parts still work
    with page.expect_download() as download:
        click(page, "Download")
    assert Path(download.value.path()).read_bytes() == path.read_bytes()
    click(page, "Stop", live)
    expect(page.get_by_role("button", name="Resume")).to_be_visible(timeout=60_000)
    info = next(info for info in list_runs(cache) if info.run_id != path.stem)
    expect(badge(page, info.run_id, "stopped")).to_be_visible()
    assert info.status == "stopped"
    assert not any(job.alive for job in list_jobs(cache))
    click(page, "Resume")
    expect(live).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Running")).to_be_visible()


def test_a_run_is_downloaded_deleted_and_uploaded(page, filled):
    cache, address, path = filled
    run, content = path.stem, path.read_bytes()
    page.goto(address)
    expect(badge(page, run, "finished")).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        click(page, "Download")
    assert download.value.suggested_filename == path.name
    sent = cache.parent / "sent.duckdb"
    download.value.save_as(sent)
    assert sent.read_bytes() == content

    choose(page, run, "Delete")
    expect(dialog(page).get_by_text("This cannot be undone")).to_be_visible()
    click(page, "Keep it", dialog(page))
    expect(dialog(page)).to_have_count(0)
    assert path.exists()
    choose(page, run, "Delete")
    click(page, "Delete", dialog(page))
    expect(page.get_by_text("There are no runs yet")).to_be_visible()
    assert not path.exists()

    click(page, "Upload a run file")
    dialog(page).locator("input[type=file]").set_input_files(sent)
    expect(badge(page, run, "finished")).to_be_visible()
    assert path.read_bytes() == content
    expect(page).to_have_url(re.compile(f"run={run}"))

    click(page, "Upload")
    dialog(page).locator("input[type=file]").set_input_files(sent)
    expect(dialog(page).get_by_text("exists already")).to_be_visible()
    assert {file.name for file in cache.iterdir() if file.is_file()} == {path.name}


def test_a_file_that_is_not_a_run_is_refused_in_one_line(page, filled):
    cache, address, _ = filled
    page.goto(address)
    junk = cache.parent / "<img src=x onerror=window.hacked=1>.duckdb"
    junk.write_bytes(b"junk" * 1000)
    click(page, "Upload")
    dialog(page).locator("input[type=file]").set_input_files(junk)
    expect(dialog(page).get_by_text("is not a DuckDB file")).to_be_visible(timeout=60_000)
    assert len([file for file in cache.iterdir() if file.is_file()]) == 1
    assert page.evaluate("window.hacked") is None


def test_names_are_text(page, filled):
    cache, address, _ = filled
    (cache / FILE).write_bytes(b"junk")
    page.goto(address)
    expect(page.get_by_text(FILE.removesuffix(".duckdb"), exact=True).first).to_be_visible(timeout=60_000)
    assert page.evaluate("window.hacked") is None


def test_the_form_stays_open_and_shows_the_error(page, filled):
    _, address, _ = filled
    page.goto(address)
    click(page, "New run")
    fill(page, "textbox", "title", "No Title!")
    expect(dialog(page).get_by_text(re.compile("config: title"))).to_be_visible()
    expect(dialog(page).get_by_role("button", name="Start")).to_be_disabled()
