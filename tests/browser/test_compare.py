"""The Compare page in a real browser: strips, hover card, pin, keys, baseline, links to the tree."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import quiet, settle
from tests.hostile import FILE, IMAGE, make_hostile


@pytest.fixture
def compare(reader, url):
    """The page at a path with decision points, drawn and at rest."""
    return open_path(reader, f"{url}/compare?question=sum")


def open_path(reader, address):
    page = reader.go(address)
    expect(columns(page).first).to_be_visible(timeout=60_000)
    expect(page.locator(".main-svg").first).to_be_visible(timeout=60_000)
    quiet(page, reader.sent)
    return page


@pytest.fixture
def contested(reader, url):
    """The page at the first path with a disagreement."""
    for question, path in (("sum", 0), ("sum", 1), ("compare", 0), ("compare", 1)):
        page = open_path(reader, f"{url}/compare?question={question}&path={path}")
        if page.locator(".flow .column.disagreed").count():
            return page
    return pytest.fail("the run has no path at which two teachers disagree")


def columns(page):
    return page.locator(".flow .column")


def has(page, **parts):
    """Wait until the address has these values."""
    for name, value in parts.items():
        expect(page).to_have_url(re.compile(rf"[?&]{name}={value}(&|$)"), timeout=30_000)


LAID_OUT = """columns => columns.map(column => [...column.querySelectorAll('.cell')].map(cell => {
  const box = cell.getBoundingClientRect(); return [box.left, box.width, box.top] }))"""


def test_the_cells_of_a_token_stand_under_each_other_in_all_strips(compare):
    laid_out = columns(compare).evaluate_all(LAID_OUT)
    assert len(laid_out) > 10
    for cells in laid_out:
        lefts, widths, tops = zip(*cells, strict=True)
        assert len(cells) == 4
        assert max(lefts) - min(lefts) < 0.1 and max(widths) - min(widths) < 0.1
        assert list(tops) == sorted(set(tops))


def test_strips_stay_aligned_where_lines_are_broken(compare, sent):
    compare.set_viewport_size({"width": 800, "height": 1000})
    quiet(compare, sent)
    laid_out = columns(compare).evaluate_all(LAID_OUT)
    assert len({cells[0][2] for cells in laid_out}) > 1
    assert all(max(cell[0] for cell in cells) - min(cell[0] for cell in cells) < 0.1 for cells in laid_out)
    first = {round(top) for top in columns(compare).evaluate_all("all => all.map(one => one.offsetTop)")}
    assert compare.locator(".names .name").count() == 4 * len(first)


def test_hovering_shows_all_teachers_without_server_requests(compare, sent):
    before = len(sent)
    assert before > 0
    compare.locator(".flow .column.decision").first.hover()
    card = compare.locator(".card")
    expect(card).to_be_visible()
    for teacher in ("tiny-m", "Self-1C", "Self-1C1W", "Self-check"):
        expect(card).to_contain_text(teacher)
    compare.wait_for_timeout(800)
    assert len(sent) == before


def test_a_click_pins_the_token_and_its_gradients_appear(compare):
    decision = compare.locator(".flow .column.decision").first
    at = decision.get_attribute("data-at")
    decision.click()
    expect(compare.get_by_text(re.compile(f"^Token {at} .*ideal and teacher gradients"))).to_be_visible()
    has(compare, token=at)
    expect(compare.locator(".main-svg").get_by_text("ideal", exact=True)).to_be_visible()
    expect(decision).to_have_class(re.compile("pinned"))


def test_the_baseline_and_the_difference_change_the_address_and_the_strips(compare):
    mark = "(cell) => getComputedStyle(cell).backgroundColor + getComputedStyle(cell).backgroundImage"
    decision = compare.locator(".flow .column.decision").first
    before = decision.locator(".cell").evaluate_all(f"cells => cells.map({mark})")
    compare.locator(".odd button.name", has_text=re.compile("^Self-1C$")).click()
    has(compare, baseline="Self-1C")
    compare.get_by_test_id("stButtonGroup").get_by_text("difference").click()
    has(compare, show="difference")
    expect(compare.get_by_text("difference from the baseline").first).to_be_visible()
    expect(compare.locator(".names .baseline").first).to_have_text("Self-1C")
    assert decision.locator(".cell").evaluate_all(f"cells => cells.map({mark})") != before


def test_d_jumps_to_a_disagreement_and_is_ignored_while_typing(contested):
    disagreed = contested.locator(".flow .column.disagreed")
    places = [int(one.get_attribute("data-at")) for one in disagreed.all()]
    assert places
    contested.get_by_role("combobox", name=re.compile("teachers")).first.focus()
    contested.keyboard.press("d")
    contested.wait_for_timeout(800)
    has(contested, token="")
    contested.keyboard.press("Escape")
    contested.locator("h3, [data-testid=stMarkdown]").first.click()
    contested.keyboard.press("d")
    has(contested, token=places[0])
    contested.keyboard.press("ArrowRight")
    has(contested, token=places[0] + 1)
    settle(contested)
    contested.keyboard.press("D")
    has(contested, token=places[0])


def test_a_row_of_disagreements_opens_its_token_and_links_to_its_tree(compare):
    row = compare.locator(".odd tbody tr[tabindex]").first
    href = row.locator("a").get_attribute("href")
    assert href.startswith("tree?") and "convention=on_policy-full-off" in href
    token = re.search(r"[?&]token=(\d+)", href).group(1)
    row.click(position={"x": 20, "y": 8})
    has(compare, token=token)
    expect(compare.locator(".flow .column.pinned")).to_have_attribute("data-at", token)
    row.locator("a").click()
    expect(compare).to_have_url(re.compile(rf"/tree\?.*token={token}\b"))
    expect(compare.locator(".token.pinned")).to_have_attribute("data-at", token, timeout=60_000)


def test_a_tile_of_the_heat_map_pins_its_token(compare):
    decision = compare.locator(".flow .column.decision").first.get_attribute("data-at")
    heat = compare.get_by_test_id("stPlotlyChart").first
    heat.scroll_into_view_if_needed()
    place = heat.evaluate(
        """(chart, at) => { const plot = chart.querySelector('.js-plotly-plot'), { xaxis, yaxis } = plot._fullLayout
        const box = plot.getBoundingClientRect()
        return [box.left + xaxis._offset + xaxis.c2p(at), box.top + yaxis._offset + yaxis.c2p(0)] }""",
        int(decision),
    )
    compare.mouse.move(*place)
    compare.wait_for_timeout(300)
    compare.mouse.click(*place)
    has(compare, token=decision)


def test_a_figure_of_the_strips_is_saved(compare):
    with compare.expect_download() as saved:
        compare.get_by_title("Save this picture as SVG").nth(1).click()
    text = saved.value.path().read_text(encoding="utf-8")
    assert text.startswith("<svg") and "tiny-m" in text


@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_a_plotly_figure_is_saved_as_it_looks(compare, kind, tmp_path):
    buttons = compare.locator(".st-key-picture-compare-heat-map")
    with compare.expect_download() as saved:
        buttons.get_by_role("button", name=kind).click()
    assert saved.value.suggested_filename.endswith(f"-path-0-heat-map.{kind.lower()}")
    picture = compare.context.new_page()
    picture.goto(Path(shutil.copy(saved.value.path(), tmp_path / saved.value.suggested_filename)).as_uri())
    if kind == "SVG":
        expect(picture.locator("text").filter(has_text="token of the path")).to_have_count(1)
        assert picture.locator("image").count() == 1  # the cells
        # texts keep their widths in any font
        assert picture.locator("text:not(:has(tspan)):not([textLength])").count() == 0
    else:
        wide, high = picture.locator("img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
        drawn = compare.locator(".st-key-fitting-compare-heat-map .js-plotly-plot").bounding_box()
        assert (wide, high) == pytest.approx((2 * drawn["width"], 2 * drawn["height"]), abs=2)
    picture.close()


@pytest.fixture
def hostile(cache, finished):
    """Id of a run full of attacks, which exists for one test only."""
    path = make_hostile(finished[1], cache)
    yield path.stem
    path.unlink()
    (cache / FILE).unlink()


def test_untrusted_names_and_tokens_are_only_text(page, url, hostile):
    page.goto(f"{url}/compare?run={hostile}&token=1")
    expect(columns(page).first).to_be_visible(timeout=60_000)
    expect(page.locator(".main-svg").first).to_be_visible(timeout=60_000)
    columns(page).first.hover()
    expect(page.locator(".card")).to_contain_text(f"teacher {IMAGE}")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x], iframe, .main-svg a").count() == 0
