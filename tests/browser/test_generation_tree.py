"""The generation tree in a real browser: zoom, pan, fold, unfold, select, pin, keys, files, another theme."""

import csv
import json
import re
import shutil
from itertools import combinations
from pathlib import Path
from urllib.parse import parse_qs, quote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import eventually, settle
from tests.hostile import QUESTIONS, TEACHERS, make_hostile


@pytest.fixture
def tree(reader, url):
    """The Tree page, drawn and idle."""
    return open_tree(reader, f"{url}/tree?question=sum")


def open_tree(reader, address):
    page = reader.go(address)
    expect(page.locator("svg.tree .branch").first).to_be_visible()
    expect(page).to_have_url(re.compile("colour="))
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    drawn = None
    while drawn != (now := page.locator("svg.tree").inner_html()):  # changing the page width redraws the tree
        drawn = now
        page.wait_for_timeout(300)
    return page


def query(page):
    return parse_qs(page.evaluate("location.search.slice(1)"))


def ticks(page):
    return [int(text) for text in page.locator("svg.tree > text.axis").all_text_contents() if text.isdecimal()]


def enter(part):
    """Activate a part of the drawing by keyboard, even if other parts cover it."""
    part.focus()
    part.press("Enter")


def inner(page):
    """A joint of the tree other than the root."""
    return page.locator("svg.tree .joint").last


def middle(page):
    box = page.locator("svg.tree").bounding_box()
    return box["x"] + box["width"] / 3, box["y"] + box["height"] / 2


def test_the_axis_has_a_name_and_the_widths_a_legend(tree):
    expect(tree.locator("svg.tree")).to_contain_text("token depth (response tokens)")
    expect(tree.locator(".legend", has_text="P_succ")).to_contain_text("on-policy visits")


def test_the_wheel_zooms_where_the_pointer_is_and_fit_goes_back(tree, sent):
    before, count = ticks(tree), len(sent)
    x, y = middle(tree)
    tree.mouse.move(x, y)
    tree.mouse.move(x + 5, y)
    for _ in range(4):
        tree.mouse.wheel(0, -200)
    eventually(lambda: ticks(tree)[-1] - ticks(tree)[0] < before[-1] - before[0])
    assert len(sent) == count
    tree.get_by_role("button", name="show the whole tree").click()
    eventually(lambda: ticks(tree) == before)


def test_more_of_the_text_appears_when_zoomed_in(tree):
    tree.set_viewport_size({"width": 800, "height": 900})
    texts = tree.locator("svg.tree text.token")
    expect(texts).to_have_count(0)
    button = tree.get_by_role("button", name="zoom in", exact=True)
    while button.is_enabled():
        button.click()
        tree.wait_for_timeout(100)
    eventually(lambda: texts.count() > 0)


def test_dragging_moves_the_tree_and_selects_nothing(tree):
    for _ in range(3):
        tree.get_by_role("button", name="zoom in", exact=True).click()
    eventually(lambda: tree.locator("svg.tree.zoomed").count())
    before = ticks(tree)
    x, y = middle(tree)
    tree.mouse.move(x, y)
    tree.mouse.down()
    tree.mouse.move(x - 250, y, steps=5)
    tree.mouse.up()
    eventually(lambda: ticks(tree) != before)
    assert "node" not in query(tree)


def test_a_scrolled_page_does_not_zoom(tree):
    before = ticks(tree)
    tree.mouse.move(5, 300)
    x, y = middle(tree)
    tree.mouse.move(x, y)
    tree.mouse.wheel(0, 200)
    tree.wait_for_timeout(300)
    assert ticks(tree) == before


def test_a_fold_is_immediate_and_kept_in_the_address(tree):
    branches = tree.locator("svg.tree .branch")
    before = branches.count()
    enter(inner(tree))
    assert branches.count() < before
    eventually(lambda: "folded" in query(tree))
    again = branches.count()
    tree.reload()
    expect(branches).to_have_count(again)
    enter(tree.locator("svg.tree .joint.collapsed"))
    expect(branches).to_have_count(before)
    eventually(lambda: "folded" not in query(tree))


def test_unfolding_shows_rarer_branches_and_back_undoes_it(tree):
    branches = tree.locator("svg.tree .branch")
    before = branches.count()
    handle = tree.locator('svg.tree .handle[data-act="unfold"]').first
    nodes = handle.get_attribute("data-nodes").split()
    enter(handle)
    eventually(lambda: branches.count() > before)
    assert query(tree)["unfolded"] == nodes
    tree.go_back()
    expect(branches).to_have_count(before)


def test_reset_undoes_folded_and_unfolded_branches(tree):
    branches = tree.locator("svg.tree .branch")
    before = branches.count()
    enter(inner(tree))
    eventually(lambda: "folded" in query(tree))
    tree.get_by_role("button", name="rarer branches where most").click()
    eventually(lambda: "unfolded" in query(tree))
    tree.get_by_role("button", name="undo all folding").click()
    eventually(lambda: not {"folded", "unfolded"} & set(query(tree)))
    expect(branches).to_have_count(before)


def test_a_selected_branch_shows_its_numbers_and_text_and_survives_the_link(tree, other_page):
    branch = tree.locator("svg.tree .branch").nth(3)
    label = branch.get_attribute("aria-label")
    enter(branch)
    expect(tree.locator(".details")).to_contain_text(re.search(r"P_succ [\d.]+", label).group())
    expect(tree.locator(".details .own-text")).not_to_be_empty()
    eventually(lambda: "node" in query(tree))
    other_page.goto(tree.url)
    expect(other_page.locator("svg.tree .branch.selected")).to_have_attribute("aria-label", label)


def test_a_branch_on_another_path_offers_that_path(tree):
    name = tree.locator("svg.tree .name:not(.chosen)").first
    wanted = name.get_attribute("data-path")
    enter(name)
    eventually(lambda: query(tree)["path"] == [wanted])
    expect(tree.locator("svg.tree .name.chosen")).to_have_attribute("data-path", wanted)


def test_a_decision_point_pins_its_token(tree):
    chip = tree.locator("svg.tree .chip.own").first
    position = re.search(r"token (\d+)", chip.get_attribute("aria-label")).group(1)
    enter(chip)
    eventually(lambda: query(tree).get("token") == [position])
    expect(tree.locator("svg.tree .chip.pinned")).to_have_count(1)
    expect(tree.locator("svg.tree .pin")).to_have_count(1)


def test_a_click_leaves_the_keys_to_the_text(tree):
    tree.locator("svg.tree .chip.own").first.click()
    eventually(lambda: "token" in query(tree))
    before = query(tree)["token"]
    expect(tree.locator(f"div.lines .token.pinned[data-at='{before[0]}']")).to_be_visible()
    tree.keyboard.press("ArrowRight")
    eventually(lambda: query(tree)["token"] != before)


def test_arrow_keys_walk_from_branch_to_branch(tree):
    branch = tree.locator("svg.tree .branch").nth(1)
    branch.focus()
    branch.press("ArrowDown")
    focused = "document.activeElement.shadowRoot?.activeElement ?? document.activeElement"
    assert tree.evaluate(f"({focused}).dataset.key") != branch.get_attribute("data-key")


def test_hovering_explains_without_server_requests(tree, sent):
    tree.wait_for_timeout(1000)
    count = len(sent)
    tree.locator("svg.tree .chip").first.hover()
    expect(tree.locator(".tip")).to_contain_text("alignment")
    assert len(sent) == count


@pytest.fixture
def example(cache):
    """Id of the example run, whose paths diverge at their first tokens; exists for one test only."""
    (path,) = Path(__file__).parents[2].glob("cache/example-*.duckdb")
    copy = Path(shutil.copy(path, cache))
    yield copy.stem
    copy.unlink()


def test_one_branch_and_the_root_are_named_as_such(reader, url, example):
    page = open_tree(reader, f"{url}/tree?run={example}&question=t005-level5")
    names = page.locator("svg.tree [aria-label]").evaluate_all("parts => parts.map(part => part.ariaLabel)")
    assert any(name.startswith("1 rarer branch leaves here: unfold (") for name in names)
    assert any(name.startswith("branch, before the first token,") for name in names)
    assert not [
        name for name in names if re.search(r"tokens -1|\b1 (rarer )?(branches|rollouts)|tokens (\d+) to \3,", name)
    ]


@pytest.mark.parametrize("question", ["t001-level1", "t002-level1", "t004-level2", "t005-level5"])
def test_decision_points_do_not_cover_each_other(reader, url, example, question):
    page = open_tree(reader, f"{url}/tree?run={example}&question={question}")
    boxes = page.locator("svg.tree .chip .edge").evaluate_all(
        """edges => edges.map(edge => {
          const { left, right, top, bottom } = edge.getBoundingClientRect()
          return [left, right, top, bottom]
        })"""
    )
    assert len(boxes) > 10
    for (left, right, top, bottom), other in combinations(boxes, 2):
        across = min(right, other[1]) - max(left, other[0])
        down = min(bottom, other[3]) - max(top, other[2])
        assert across < 1.5 or down < 1.5


def test_the_colour_choice_repaints_the_decision_points(tree, reader, url):
    fill = "nodes => nodes.map(node => node.getAttribute('fill')).join()"
    colours = tree.locator("svg.tree .chip .colour")
    before = colours.evaluate_all(fill)
    open_tree(reader, f"{url}/tree?question=sum&colour=success")
    assert colours.evaluate_all(fill) != before
    expect(tree.locator(".legend", has_text="chips")).to_contain_text("success after the token")


def test_the_shown_branches_are_saved_as_a_table(tree):
    with tree.expect_download() as saved:
        tree.locator(".top", has_text="Generation tree").get_by_role("button", name="save the branches").click()
    with open(saved.value.path(), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == tree.locator("svg.tree .branch").count()
    assert all(isinstance(json.loads(row["text"]), str) for row in rows)


def test_the_drawing_is_saved_as_an_image(tree):
    with tree.expect_download() as saved:
        tree.locator(".top", has_text="Generation tree").get_by_role("button", name="SVG").click()
    assert "token depth" in saved.value.path().read_text(encoding="utf-8")


def test_a_question_without_a_tree_says_why(page, url):
    page.goto(f"{url}/tree?question=impossible")
    expect(page.get_by_text("This question has no tree")).to_be_visible()


@pytest.fixture
def hostile(finished, cache, tmp_path):
    """A run with attacks in every text, next to the served one."""
    path = shutil.copy(make_hostile(finished[1], tmp_path), cache)
    yield Path(path).stem
    Path(path).unlink()


def test_hostile_tokens_are_text(reader, url, hostile):
    page = open_tree(
        reader, f"{url}/tree?run={hostile}&question={quote(QUESTIONS['sum'])}&teacher={quote(TEACHERS['tiny-m'])}"
    )
    tree = page.locator("svg.tree")
    assert any("<" in text for text in tree.locator(".words, .word, .token").all_text_contents())
    assert tree.locator("img, script, iframe, foreignObject").count() == 0
    branch = tree.locator(".branch").last
    enter(branch)
    expect(page.locator(".details .own-text")).not_to_be_empty()
    tree.locator(".chip").first.focus()
    assert page.evaluate("window.hacked") is None


def test_it_fits_a_narrow_window(new_page, url):
    page = new_page({"width": 800, "height": 900}, "dark")
    page.goto(f"{url}/tree?question=sum")
    expect(page.locator("svg.tree .branch").first).to_be_visible()
    settle(page)
    box = page.locator("svg.tree").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 800
