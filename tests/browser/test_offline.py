"""A question in a file, opened in a browser without a server."""

import pytest
from playwright.sync_api import expect

from odd.export.offline import Contents, asked_view, write_question
from odd.store import RunReader
from tests.browser.conftest import open_page
from tests.hostile import make_hostile


@pytest.fixture(scope="module")
def file(finished, tmp_path_factory):
    with RunReader(finished[1]) as run:
        view = asked_view(run, "sum", None, 2, (), None, None, None)
        return write_question(run, view, tmp_path_factory.mktemp("offline") / "x.html", Contents())


@pytest.fixture
def opened(new_page, file):
    """A page on the file, at an address in it; nothing is requested but the file."""
    page, asked = new_page(), []
    page.on("request", lambda request: asked.append(request.url))

    def open_at(place=""):
        page.goto(f"{file.as_uri()}{place}")
        path(page).locator(".token").first.wait_for()
        return page

    yield open_at
    assert {url.split("#")[0] for url in asked} == {file.as_uri()}


def path(page):
    return page.get_by_label("Path", exact=True)


def test_the_pinned_token_is_shown_with_its_children(opened):
    page = opened()
    expect(path(page).locator(".token.pinned")).to_have_attribute("data-at", "2")
    expect(page.get_by_label("Pinned token").locator("table")).to_be_visible()


def test_a_link_into_the_file_leads_to_its_token(opened):
    page = opened("#token=4&colour=gain")
    expect(path(page).locator(".token.pinned")).to_have_attribute("data-at", "4")
    expect(page.locator("select[name=colour]")).to_have_value("gain")


def test_choices_and_pins_are_in_the_address_and_back_undoes_them(opened):
    page = opened()
    page.select_option("select[name=teacher]", "Self-1C")
    path(page).locator(".token").nth(3).click()
    page.wait_for_url("**#*teacher=Self-1C*token=3*")
    page.go_back()
    expect(path(page).locator(".token.pinned")).to_have_attribute("data-at", "2")
    expect(page.locator("select[name=teacher]")).to_have_value("Self-1C")


def test_the_pages_of_a_question_offer_it_as_a_file(new_page, url, tmp_path):
    page = open_page(new_page(), f"{url}/tree?question=sum&token=2")
    with page.expect_download() as waited:
        page.get_by_role("button", name="HTML", exact=True).click()
    waited.value.save_as(tmp_path / "saved.html")
    page.goto((tmp_path / "saved.html").as_uri())
    expect(path(page).locator(".token.pinned")).to_have_attribute("data-at", "2")


def test_tree_and_teachers_are_drawn(opened):
    page = opened()
    expect(page.locator("svg.tree")).to_be_visible()
    expect(page.get_by_label("Teachers side by side").locator(".token, .column").first).to_be_visible()


def test_nothing_of_a_hostile_run_runs(new_page, finished, tmp_path):
    with RunReader(make_hostile(finished[1], tmp_path)) as run:
        file = write_question(run, asked_view(run, None, None, 0, (), None, None, None), tmp_path / "x.html")
    page = new_page()
    page.goto(file.as_uri())
    path(page).locator(".token").first.wait_for()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, iframe, a[href*=evil], [onerror], [onload]").count() == 0
