"""Long paths and deep trees in a real browser: the components drawn without a server, and what they send to it."""

import json

import pytest
from playwright.sync_api import expect

from odd.store import RunReader
from odd.views import path_window
from odd.views.components import source
from odd.views.generation_graph import display
from odd.views.generation_tree import tree_payload
from odd.views.links import ViewState
from odd.views.panels import path_panel, tree_panel
from odd.views.path_window import Extent
from odd.views.resolve import resolve
from odd.views.token_path import path_cards, path_rows

SMALL = 8
"""Tokens of a window in these tests."""
IMPORT = """async script => {
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }))
  window.draw = (await import(address)).default
}"""
"""Loads the script of a component as a module, as Streamlit does."""
COLOURS = "--st-text-color:#222; --st-background-color:#fff; --st-primary-color:#06c; --st-font:sans-serif"


@pytest.fixture(scope="module")
def run(finished):
    with RunReader(finished[1]) as reader:
        yield reader


@pytest.fixture
def windows(monkeypatch):
    """Windows of a few tokens, so that a short path is a long one."""
    monkeypatch.setattr(path_window, "WINDOW", SMALL)


def panel(run, answer=None, **changes):
    """The payload of a path, and its view; `answer` is where its thinking part would end."""
    view = resolve(run, ViewState(question="sum")).view.but(**changes)
    extent = Extent(len(path_rows(run, 0, view)), answer)
    window = extent.window(view)
    return path_panel(run, 0, view, path_rows(run, 0, view, window), path_cards(run, 0, view, window), extent)


def draw(page, name, payload):
    """Draw a component in an empty page; the events that it sends are collected."""
    script, style = source(name)
    if page.locator("#host").count() == 0:
        page.set_content(f"<style>:root {{ {COLOURS} }} {style}</style><div id='host'><div class='odd'></div></div>")
        page.evaluate(IMPORT, script)
        page.evaluate("window.events = []")
    page.evaluate(
        """payload => window.draw({ data: { payload }, parentElement: document.querySelector('#host'),
          setTriggerValue: (name, value) => window.events.push([name, value]) })""",
        json.dumps(payload),
    )
    return page


def events(page):
    return page.evaluate("window.events")


def shown(page):
    return [int(at) for at in page.locator(".lines .token").evaluate_all("all => all.map(one => one.dataset.at)")]


def test_only_the_tokens_of_the_window_are_drawn(page, run, windows):
    draw(page, "token_path", panel(run, start=5))
    assert shown(page) == list(range(5, 5 + SMALL))
    expect(page.locator("svg.strip")).to_be_visible()
    assert page.locator("svg.strip").get_attribute("aria-valuenow") == "5"


def test_a_path_within_one_window_has_no_strip(page, run):
    data = panel(run)
    draw(page, "token_path", data)
    assert len(shown(page)) == len(data["tokens"])
    expect(page.locator("svg.strip")).to_be_hidden()


def test_dragging_the_strip_moves_the_window_and_sends_it_once(page, run, windows):
    draw(page, "token_path", panel(run, start=0))
    box, brush = page.locator("svg.strip").bounding_box(), page.locator(".brush").bounding_box()
    page.mouse.move(brush["x"] + brush["width"] / 2, box["y"] + 20)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(brush["x"] + brush["width"] / 2 + step * (box["width"] - 74) / 30, box["y"] + 20)
    assert events(page) == []
    page.mouse.up()
    [[name, start]] = events(page)
    assert name == "start" and start > 0
    assert page.locator("svg.strip").get_attribute("aria-valuenow") == str(start)


def test_the_window_moves_by_buttons_and_keys(page, run, windows):
    data = panel(run, start=0)
    draw(page, "token_path", data)
    expect(page.get_by_role("button", name="earlier tokens")).to_be_disabled()
    page.get_by_role("button", name="later tokens").click()
    assert events(page)[-1] == ["start", min(SMALL, data["overview"]["length"] - SMALL)]
    page.locator("svg.strip").focus()
    page.keyboard.press("End")
    page.wait_for_function("window.events.length > 1")
    assert events(page)[-1] == ["start", data["overview"]["length"] - SMALL]


def test_a_key_at_the_end_of_the_window_pins_the_next_token(page, run, windows):
    draw(page, "token_path", panel(run, position=SMALL - 1))
    page.keyboard.press("ArrowRight")
    assert events(page) == [["position", SMALL]]
    draw(page, "token_path", panel(run, position=SMALL))
    assert SMALL in shown(page)
    expect(page.locator(".card")).to_contain_text(f"token {SMALL} ")


def test_decision_points_are_listed_and_pinned_wherever_they_are(page, run, windows):
    data = panel(run, start=data_length(run) - SMALL)
    decisions = [row[0] for row in data["overview"]["decisions"]["rows"]]
    assert decisions and decisions[0] < data["first"]
    draw(page, "token_path", data)
    page.locator(".decisions summary").click()
    expect(page.locator(".decisions .go")).to_have_text([str(at) for at in decisions])
    page.locator(".decisions .go").first.click()
    assert events(page)[-1] == ["position", decisions[0]]


def data_length(run):
    return path_window.path_extent(run, 0, 0).length


def test_v_is_left_out_where_too_few_rollouts_support_it(page, run):
    data = panel(run)
    draw(page, "token_path", data)
    assert page.locator("polyline.value").count() >= 1
    draw(page, "token_path", data | {"support": 10**6})
    assert page.locator("polyline.value").count() == 0


def test_the_thinking_part_is_apart_and_folds(page, run):
    data = panel(run, answer=6)
    draw(page, "token_path", data)
    first = page.locator(".text:not(.thinking) .token").first
    assert first.get_attribute("data-at") == "6"
    page.get_by_role("button", name="▾ thinking part, 6 tokens").click()
    assert events(page) == [["part", "answer"]]
    draw(page, "token_path", panel(run, answer=6, part="answer"))
    assert shown(page)[0] == 6
    page.get_by_role("button", name="▸ thinking part, 6 tokens, folded").click()
    assert events(page)[-1] == ["part", "all"]


def test_found_text_is_marked_and_stepped_through(page, run, windows):
    data = panel(run, start=0)
    data["overview"]["hits"] = [[1, 3], [SMALL + 2, SMALL + 3]]
    draw(page, "token_path", data)
    marked = page.locator(".lines .token.found").evaluate_all("all => all.map(one => +one.dataset.at)")
    assert marked == [1, 2]
    page.get_by_role("button", name="next place where it is found").click()
    assert events(page)[-1][0] == "position"


@pytest.fixture
def deep(run):
    """The tree of a question whose branches are each 300 tokens longer than they are."""
    view = resolve(run, ViewState(question="sum")).view
    data = tree_panel(run, 0, view, tree_payload(run, 0, view.convention, display(run, 0, view.convention)))
    leaf = next(branch for branch in data["branches"] if branch["paths"] and branch["ended"])
    for name in ("tokens", "n", "p", "nodes"):
        leaf[name] = leaf[name] + [leaf[name][-1]] * 300
    return data | {"depth": data["depth"] + 300}


def test_chains_of_a_deep_tree_are_folded_at_first(page, deep):
    draw(page, "generation_tree", deep)
    wide = "all => Math.max(...all.map(one => one.getBoundingClientRect().width))"
    expect(page.locator("text.chain").first).to_be_attached()
    folded = page.locator(".chip rect.edge").evaluate_all(wide)
    page.get_by_role("button", name="fold or unfold stretches").click()
    expect(page.locator("text.chain")).to_have_count(0)
    assert page.locator(".chip rect.edge").evaluate_all(wide) < folded
