"""A link is the view: all choices are in the address, and everyone who opens it sees the same."""

import re
import shutil
import socket
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from benchmarks.serving import serving
from odd.views.links import ViewState
from tests.browser.conftest import changing, open_page, settle

PAGES = ("questions", "tree", "compare", "findings", "screening")
VIEW = "question=sum&path=1&token=3&teacher=Self-1C&objective=forward_kl&convention=pooled-full-off&colour=gain"


def test_the_first_page_of_a_server_is_drawn_by_the_app(page, cache):
    with serving(cache.parent) as server:
        open_page(page, f"{server.url}/tree")
        expect(page).to_have_title(re.compile("ODD$"))


def test_the_page_runs_is_found_by_its_name(page, url):
    open_page(page, url)
    open_page(page, f"{url}/runs")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="New run")).to_be_visible()


def query(page):
    return parse_qs(urlsplit(page.url).query, keep_blank_values=True)


def view(page):
    found, problems = ViewState.from_query(query(page))
    assert not problems
    return found


def choose(page, label, option, behind=None):
    """Pick an option of a select box; `behind` is the button that opens the popover with the box, if it is in one."""
    if behind is not None:
        page.get_by_role("button", name=behind).click()
    with changing(page):
        page.get_by_label(label, exact=True).first.click()
        page.get_by_role("option", name=option, exact=True).click()


def shown(page):
    """All visible text of the page, including the shadow roots of components."""
    return page.evaluate(
        """() => {
          const skip = new Set(["STYLE", "SCRIPT", "NOSCRIPT"])
          const text = (node) => node.nodeType === 3 ? node.data : skip.has(node.tagName) ? ""
            : [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes].map(text).join(" ")
          return text(document.querySelector(".stMain")).replace(/\\s+/g, " ").trim()
        }"""
    )


def assert_same(first, second):
    """Check that both pages show the same once they are fully drawn."""
    for _ in range(20):
        if shown(first) == shown(second):
            return
        first.wait_for_timeout(500)
    assert shown(first) == shown(second)


@pytest.mark.parametrize("name", PAGES)
def test_a_bare_address_becomes_the_whole_view(page, url, name):
    open_page(page, f"{url}/{name}")
    assert set(query(page)) == set(ViewState().to_query())


@pytest.mark.parametrize("name", PAGES)
def test_a_link_opens_as_the_same_view_for_another_reader(reader, other_page, url, name):
    first = reader.go(f"{url}/{name}?{VIEW}")
    second = open_page(other_page, first.url)
    assert second.url == first.url
    assert parse_qs(VIEW).items() <= query(second).items()
    assert_same(first, second)


@pytest.mark.parametrize("name", PAGES)
def test_the_button_copies_the_address(reader, url, name):
    page = reader.go(f"{url}/{name}?{VIEW}")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_a_copied_link_restores_what_was_chosen(reader, other_page, url):
    first = reader.go(f"{url}/tree?question=sum")
    choose(first, "teacher", "Self-1C1W")
    choose(first, "objective", "forward KL", behind="View settings")
    first.get_by_role("button", name="Copy link").click()
    expect(first.get_by_role("button", name="Copied")).to_be_visible()
    link = first.evaluate("navigator.clipboard.readText()")
    second = open_page(other_page, link)
    assert (view(second).teacher, view(second).objective) == ("Self-1C1W", "forward_kl")
    assert_same(first, second)


def test_back_and_forward_go_through_what_was_chosen(page, url):
    open_page(page, f"{url}/tree?question=sum&teacher=tiny-m")
    start = page.url
    choose(page, "teacher", "Self-1C")
    one = page.url
    choose(page, "teacher", "Self-check")
    two = page.url
    for step, address, teacher in (
        (page.go_back, one, "Self-1C"),
        (page.go_back, start, "tiny-m"),
        (page.go_forward, one, "Self-1C"),
        (page.go_forward, two, "Self-check"),
    ):
        step()
        settle(page)
        assert page.url == address
        expect(page.get_by_label("teacher", exact=True).first).to_have_value(teacher)


def test_back_leaves_a_page_that_completed_its_address(page, url):
    open_page(page, f"{url}/findings")
    page.get_by_role("link", name="Compare").click()
    expect(page).to_have_url(re.compile("/compare"))
    settle(page)
    for _ in range(3):
        page.go_back()
        page.wait_for_timeout(1500)
        if page.url == "about:blank":
            return
    pytest.fail(f"three steps back still lead to {page.url}")


@pytest.mark.parametrize("name", PAGES)
def test_the_sidebar_keeps_the_view(reader, url, name):
    other = "tree" if name != "tree" else "compare"
    page = reader.go(f"{url}/{other}?{VIEW}")
    before = query(page)
    page.get_by_test_id("stSidebar").get_by_role("link", name=name.capitalize(), exact=True).click()
    expect(page).to_have_url(re.compile(f"/{name}"))
    settle(page)
    after = query(page)
    assert {part: after[part] for part in parse_qs(VIEW)} == {part: before[part] for part in parse_qs(VIEW)}


def test_the_page_runs_keeps_the_view(reader, url):
    page = reader.go(f"{url}/tree?{VIEW}")
    before = query(page)
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("link", name="Runs", exact=True).click()
    expect(page).not_to_have_url(re.compile("/tree"))
    settle(page)
    sidebar.get_by_role("link", name="Tree", exact=True).click()
    expect(page).to_have_url(re.compile("/tree"))
    settle(page)
    assert query(page) == before


def opening(url, host):
    """First line of the answer to a browser that opens the page's websocket under a host name."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
        asked = f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\n"
        key = "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        connection.sendall((asked + key).encode())
        return connection.recv(100).split(b"\r\n")[0].decode()


LOCAL = "localhost", "127.0.0.1", "[::1]"


@pytest.mark.parametrize("host", [*LOCAL, "evil.example", "localhost.evil.example", "169.254.1.1"])
def test_only_local_names_open_the_dashboard(url, host):
    status = opening(url, f"{host}:{urlsplit(url).port}")
    assert (" 101 " in status) == (host in LOCAL)


@pytest.mark.parametrize("name", PAGES)
def test_a_missing_run_is_named_and_another_one_offered(reader, url, cache, name):
    run = next(cache.glob("*.duckdb")).stem
    page = reader.go(f"{url}/{name}?run=nothing-00000000&{VIEW}")
    expect(page.get_by_text("There is no run")).to_be_visible()
    page.get_by_role("link", name=f"Open {run} instead").click()
    expect(page).to_have_url(re.compile(f"run={run}"))
    settle(page)
    assert (view(page).teacher, view(page).colour) == ("Self-1C", "gain")


def test_missing_parts_of_a_link_are_named(reader, url):
    page = reader.go(f"{url}/tree?question=sum&token=9999&teacher=nobody")
    expect(page.get_by_text("9999")).to_be_visible()
    expect(page.get_by_text("nobody")).to_be_visible()
    assert (view(page).position, view(page).teacher) == (None, "tiny-m")


def test_a_run_deleted_while_open_is_reported_as_missing(page, url, cache):
    run = shutil.copy(next(cache.glob("*.duckdb")), cache / "short-lived.duckdb")
    open_page(page, f"{url}/tree?run=short-lived&question=sum")
    run.unlink()
    page.reload()
    expect(page.get_by_text("There is no run")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
