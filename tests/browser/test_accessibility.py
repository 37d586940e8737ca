"""Every page by axe-core in both schemes; the Tree page by its measures: text first, one tab stop, room for fingers."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import eventually, settle

AXE = Path(__file__).with_name("axe.min.js").read_text(encoding="utf-8")
PAGES = ("runs", "questions", "tree", "rollouts", "compare", "findings", "screening")
FOUND = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ['violations'] })
  return violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => `${one.id}: ${one.nodes.map(node => node.target.flat().at(-1)).slice(0, 3).join(', ')}`)
}"""
LAPTOP = {"width": 1280, "height": 800}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious(readers, url, name, scheme):
    page = readers(scheme).go(f"{url}/{name}?question=sum&token=0", LAPTOP)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    assert page.evaluate(FOUND) == []


@pytest.fixture
def tree(reader, url):
    """The Tree page with a pinned token in the window of a laptop."""
    page = reader.go(f"{url}/tree?question=sum&token=0", LAPTOP)
    expect(page.get_by_text("How the student continues")).to_be_attached()
    expect(page.locator("svg.tree .branch").first).to_be_attached()
    return page


def test_the_text_is_first_and_the_pinned_token_beside_it(tree):
    eventually(lambda: tree.locator("div.lines .token").first.bounding_box()["y"] <= 180)
    text, panel = (tree.locator(f".st-key-{key}").bounding_box() for key in ("path-panel", "pinned-token"))
    assert panel["x"] >= text["x"] + text["width"]
    expect(tree.get_by_text("Pinned: token 0")).to_be_in_viewport(ratio=1)
    tree.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 300)")
    expect(tree.get_by_text("Pinned: token 0")).to_be_in_viewport(ratio=1)


def test_the_tab_of_the_browser_names_question_and_run(tree):
    assert tree.title().startswith("sum · Tree · small-")
    expect(tree.get_by_role("heading", level=1)).to_have_text("Tree")


def test_the_tree_is_one_tab_stop_and_arrows_move_in_it(tree):
    stops = tree.locator("svg.tree [tabindex='0']")
    expect(stops).to_have_count(1)
    expect(tree.get_by_role("treeitem").first).to_be_attached()
    stops.focus()
    first = stops.get_attribute("data-key")
    stops.press("ArrowRight")
    expect(stops).to_have_count(1)
    assert stops.get_attribute("data-key") != first
    assert stops.evaluate("one => one === one.getRootNode().activeElement")


def test_letter_keys_can_be_switched_off(tree):
    tree.get_by_role("button", name="?", exact=True).click()
    box = tree.get_by_role("checkbox", name="single-letter keys")
    box.uncheck()
    tree.keyboard.press("Escape")
    tree.mouse.click(5, 700)
    tree.keyboard.press("n")
    expect(tree.locator(".card")).to_be_hidden()
    tree.keyboard.press("ArrowRight")
    expect(tree.locator(".card")).to_be_visible()
    tree.evaluate("localStorage.removeItem('odd-letters')")
    tree.reload()
    settle(tree)


def test_targets_in_the_page_are_at_least_24_pixels(tree):
    small = tree.locator(".stMain button:visible, .stMain summary:visible").evaluate_all(
        """all => all.filter(one => !one.closest('.modebar, [data-testid="stElementToolbar"]'))
          .map(one => [one.textContent || one.title, one.getBoundingClientRect()])
          .filter(([, box]) => box.width && Math.min(box.width, box.height) < 24).map(([text]) => text)"""
    )
    assert small == []


def scroll(main):
    """Scroll the page by 260 pixels, once it is drawn far enough to be that high."""
    eventually(lambda: main.evaluate("main => { main.scrollTo(0, 260); return main.scrollTop }") == 260, 60)


def test_back_returns_to_the_place_that_was_left(tree):
    main = tree.get_by_test_id("stMain")
    scroll(main)
    tree.get_by_test_id("stSidebar").get_by_text("Screening").click()
    expect(tree.get_by_role("heading", level=1)).to_have_text("Screening")
    tree.go_back()
    expect(tree.locator("svg.tree .branch").first).to_be_attached()
    eventually(lambda: abs(main.evaluate("main => main.scrollTop") - 260) < 2, 60)


def test_a_page_opened_while_another_is_put_in_its_place_starts_at_its_top(reader, tree, url):
    main = tree.get_by_test_id("stMain")
    scroll(main)
    eventually(lambda: tree.evaluate("oddScroll.tops.get(location.href) === 260"))
    tree.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
    reader.go(f"{url}/tree?question=sum", LAPTOP)
    assert main.evaluate("main => main.scrollTop") == 0


def test_nothing_covers_the_title_when_the_sidebar_is_folded(reader, url):
    page = reader.go(f"{url}/tree?question=sum", LAPTOP)
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    page.set_viewport_size({"width": 700, "height": 800})
    expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
    title = page.get_by_role("heading", level=1)
    assert title.evaluate(
        """title => { const { x, y, width, height } = title.getBoundingClientRect()
          return title.contains(document.elementFromPoint(x + width / 2, y + height / 2)) }"""
    )
    page.set_viewport_size(LAPTOP)
    page.get_by_test_id("stExpandSidebarButton").click()
