"""The Questions and Findings pages in a real browser: sort, search, hover, keys, links to the tree, help."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def questions(reader, url):
    page = reader.go(f"{url}/questions")
    expect(rows(page)).to_have_count(3, timeout=60_000)
    expect(page.get_by_label("search")).to_be_visible()
    return page


def rows(page):
    return page.locator(".row")


def titles(page):
    return page.locator(".row .title")


def test_a_click_on_a_heading_sorts_and_a_second_one_reverses_the_order(questions):
    heading = questions.get_by_role("columnheader", name="pass rate")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(titles(questions).last).to_have_text("impossible")
    expect(questions).to_have_url(re.compile("sort=-pass_rate"))
    expect(heading.get_by_role("button")).to_be_focused()
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(titles(questions).first).to_have_text("impossible")


def test_typing_searches_and_the_link_brings_the_same_rows_elsewhere(questions, other_page):
    questions.get_by_label("search").press_sequentially("greater", delay=40)
    expect(rows(questions)).to_have_count(1)
    expect(questions).to_have_url(re.compile("search=greater"))
    other_page.goto(questions.url)
    expect(rows(other_page)).to_have_count(1, timeout=60_000)
    expect(titles(other_page)).to_have_text("compare")


def test_hovering_shows_the_numbers_without_server_requests(questions, sent):
    questions.wait_for_timeout(2000)
    before = len(sent)
    assert before, "the page was drawn without a message"
    rows(questions).first.locator(".cell.rate").hover()
    expect(questions.locator(".hint")).to_contain_text("95% Jeffreys interval")
    expect(questions.locator(".hint")).to_contain_text("n = 48")
    assert len(sent) == before


def test_keys_go_from_row_to_row_and_open_the_tree(questions):
    links = questions.locator("a.open")
    links.first.focus()
    questions.keyboard.press("End")
    expect(links.last).to_be_focused()
    questions.keyboard.press("ArrowUp")
    expect(links.nth(1)).to_be_focused()
    questions.keyboard.press("Enter")
    expect(questions).to_have_url(re.compile(r"/tree\?.*question=compare"))


def test_a_click_opens_the_tree_and_back_returns_to_the_list(questions):
    questions.get_by_role("columnheader", name="pass rate").get_by_role("button").click()
    expect(questions).to_have_url(re.compile("sort=-pass_rate"))
    rows(questions).filter(has=questions.get_by_text("sum", exact=True)).click()
    expect(questions).to_have_url(re.compile(r"/tree\?.*question=sum.*sort=-pass_rate"))
    questions.go_back()
    expect(questions).to_have_url(re.compile(r"/questions\?"))
    expect(rows(questions)).to_have_count(3, timeout=60_000)
    expect(titles(questions).last).to_have_text("impossible")


def test_a_row_is_a_link_that_another_tab_can_open(questions):
    address = questions.locator("a.open").first.get_attribute("href")
    questions.goto(address)
    expect(questions).to_have_url(re.compile(r"/tree\?.*question=sum"))
    expect(questions.get_by_text("What is 8+6-3?").first).to_be_visible(timeout=60_000)


def test_help_opens_finds_and_closes(questions):
    questions.get_by_role("button", name="What is this?").click()
    dialog = questions.get_by_role("dialog")
    expect(dialog.get_by_text("Decision point.", exact=True)).to_be_visible(timeout=60_000)
    expect(dialog.locator(".katex").first).to_be_visible()
    assert dialog.locator(".katex-error").count() == 0
    dialog.get_by_placeholder("search terms").press_sequentially("range-weighted", delay=40)
    expect(dialog.get_by_text("Decision point.", exact=True)).to_have_count(0)
    expect(dialog.get_by_text("Range-weighted cosine.", exact=True)).to_be_visible()
    questions.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(rows(questions)).to_have_count(3)


def test_findings_show_figures_and_follow_the_outcome(reader, url):
    page = reader.go(f"{url}/findings")
    expect(page.locator(".main-svg").first).to_be_visible(timeout=60_000)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    expect(page.get_by_role("heading", name="Which teacher points towards success", exact=True)).to_be_visible()
    page.get_by_role("combobox", name="paths").click()
    page.get_by_role("option", name="incorrect", exact=True).click()
    expect(page.get_by_role("heading", name="(incorrect paths)")).to_be_visible()
    expect(page).to_have_url(re.compile("outcome=incorrect"))


@pytest.mark.parametrize("path", ["questions", "findings"])
@pytest.mark.parametrize("width", [800, 1280])
def test_nothing_is_wider_than_the_window(reader, url, path, width):
    page = reader.go(f"{url}/{path}")
    page.set_viewport_size({"width": width, "height": 900})
    expect(page.locator(".scroll, .main-svg").first).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="What is this?")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    label = page.get_by_role("button", name="What is this?").locator("p")
    assert label.evaluate("part => part.scrollWidth <= part.clientWidth + 1")
