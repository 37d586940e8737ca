"""Notebook drawings in a real browser: they work without a server, and texts of a run stay text."""

import pytest
from playwright.sync_api import expect

import odd
from tests.hostile import QUESTIONS, SCRIPT, make_hostile


@pytest.fixture
def show(page, tmp_path):
    """Show a drawing as Jupyter would; return its frame and the requests it made."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    def shown(drawing):
        file = tmp_path / "cell.html"
        file.write_text(f"<!DOCTYPE html><body>{drawing._repr_html_()}</body>", encoding="utf-8")
        page.goto(file.as_uri())
        return page.frame_locator("iframe"), asked

    yield shown
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]


@pytest.fixture
def run(finished):
    with odd.open_run(finished[1]) as opened:
        yield opened


@pytest.fixture
def hostile(finished, tmp_path):
    with odd.open_run(make_hostile(finished[1], tmp_path)) as opened:
        yield opened


def test_a_path_can_be_read_hovered_over_and_pinned(show, run):
    frame, _ = show(run.path("sum"))
    frame.locator(".token").nth(3).hover()
    expect(frame.locator(".card")).to_be_visible()
    frame.locator(".token").nth(3).click()
    expect(frame.locator(".token.pinned")).to_have_count(1)
    frame.locator(".token").nth(5).click()
    expect(frame.locator(".token.pinned")).to_have_attribute("data-at", "5")


def test_a_token_is_pinned_from_the_start_if_asked(show, run):
    frame, _ = show(run.path("sum", position=4))
    expect(frame.locator(".token.pinned")).to_have_attribute("data-at", "4")


def test_a_branch_of_a_tree_can_be_selected_and_folded(show, run):
    frame, _ = show(run.tree("sum"))
    frame.locator("[data-act='select']").nth(1).dispatch_event("click")
    expect(frame.locator(".details")).not_to_be_empty()


def test_what_a_drawing_lacks_is_reported_with_the_way_to_draw_it(show, run):
    frame, _ = show(run.tree("sum"))
    frame.locator("[data-act='unfold']").first.dispatch_event("click")
    expect(frame.locator("#said")).to_contain_text("unfolded=[")


@pytest.mark.parametrize("kind", ["path", "tree"])
def test_nothing_of_a_hostile_run_runs(show, page, hostile, kind):
    frame, _ = show(getattr(hostile, kind)(QUESTIONS["sum"]))
    expect(frame.locator(".lines .token, svg.tree").first).to_be_visible()
    inside = page.frames[1]
    assert inside.evaluate("window.hacked") is None and page.evaluate("window.hacked") is None
    assert inside.locator("img, iframe, a[href*=evil], [onerror], [onload]").count() == 0
    # the question's text is shown literally
    assert SCRIPT in inside.locator("body > p").first.inner_text()
