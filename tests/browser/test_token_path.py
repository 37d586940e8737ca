"""The text of a path in a real browser: hover card, pin, keys, another teacher, hostile tokens."""

import os
import re
import shutil

import duckdb
import pytest
from playwright.sync_api import expect

from odd.store import RunReader
from tests.browser.conftest import eventually, quiet, settle

HOSTILE = "hostile-00c0ffee"
MARKUP = b"<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def path(reader, url):
    """The Tree page at a path with decision points, drawn and at rest."""
    return open_path(reader, f"{url}/tree?question=sum")


def open_path(reader, address):
    page = reader.go(address)
    expect(page.locator("div.lines .token").first).to_be_visible()
    expect(page.locator("svg.staff").first).to_be_visible()
    expect(page).to_have_url(re.compile("colour=alignment"))
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return page


def decision(page):
    """A decision point whose teacher gradient is known."""
    return page.locator("div.lines .token.decision").first


def at(token):
    return int(token.get_attribute("data-at"))


def test_hovering_shows_both_gradients_without_server_requests(path, sent):
    quiet(path, sent)
    before = len(sent)
    assert before > 0
    decision(path).hover()
    card = path.locator(".card")
    expect(card).to_be_visible()
    expect(card).to_contain_text("P teacher")
    assert card.locator("rect.ideal").count() == card.locator("rect.teacher").count() >= 2
    assert max(card.locator("rect.ideal").evaluate_all("bars => bars.map(bar => +bar.getAttribute('width'))")) > 5
    path.locator("div.lines .token").last.hover()
    expect(card).to_contain_text("⟨end⟩")
    path.wait_for_timeout(800)
    assert len(sent) == before


def test_the_card_goes_when_the_pointer_goes(path):
    decision(path).hover()
    expect(path.locator(".card")).to_be_visible()
    path.mouse.move(2, 2)
    expect(path.locator(".card")).to_be_hidden()


@pytest.mark.parametrize("width", [1440, 800])
def test_the_card_stays_inside_the_window(path, width):
    path.set_viewport_size({"width": width, "height": 700})
    for token in (path.locator("div.lines .token").first, path.locator("div.lines .token").last):
        token.hover()
        expect(path.locator(".card")).to_be_visible()
        box = path.locator(".card").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert box["y"] >= 0 and box["y"] + box["height"] <= 700


@pytest.mark.parametrize("width", [1440, 800])
def test_bars_are_below_their_tokens(path, width):
    path.set_viewport_size({"width": width, "height": 900})
    eventually(lambda: path.evaluate(
        """() => {
          const roots = [...document.querySelectorAll('*')].map(one => one.shadowRoot)
          const root = roots.find(one => one?.querySelector('.lines .token'))
          return [...root.querySelectorAll('.lines .token')].every(token => {
            const column = root.querySelector(`rect.column[data-at="${token.dataset.at}"]`)
            const [one, other] = [token.getBoundingClientRect(), column.getBoundingClientRect()]
            return Math.abs(one.left - other.left) < 1.5 && Math.abs(one.right - other.right) < 2.5 &&
              other.top >= one.bottom - 1 && other.top - one.bottom < 12
          })
        }"""
    ))  # fmt: skip


def test_a_click_pins_the_token_and_the_address_says_so(path):
    token = decision(path)
    token.click()
    expect(path).to_have_url(re.compile(f"[?&]token={at(token)}(&|$)"))
    expect(path.get_by_text(f"Pinned: token {at(token)}")).to_be_visible()
    expect(path.locator("div.lines .token.pinned")).to_have_count(1)
    expect(path.get_by_text("pushes down")).to_be_visible()


def test_the_table_of_children_is_fully_visible(reader, url):
    page = open_path(reader, f"{url}/tree?question=sum&token=0")
    page.set_viewport_size({"width": 1280, "height": 1000})
    table = page.locator("[data-testid='stDataFrame'] .dvn-scroller").first
    expect(table).to_be_attached()
    eventually(lambda: 300 < table.evaluate("table => table.clientWidth") < 650)
    assert table.evaluate("table => table.scrollWidth - table.clientWidth") <= 1


def test_escape_unpins(path):
    decision(path).click()
    expect(path.get_by_text("Pinned: token")).to_be_visible()
    path.keyboard.press("Escape")
    expect(path).to_have_url(re.compile(r"[?&]token=(&|$)"))
    expect(path.get_by_text("Nothing is pinned")).to_be_visible()
    expect(path.locator(".card")).to_be_hidden()


def test_keys_go_from_decision_point_to_decision_point(path):
    points = [
        int(value)
        for value in path.locator("div.lines .token.decision").evaluate_all("all => all.map(t => t.dataset.at)")
    ]
    path.keyboard.press("n")
    expect(path.locator(".card")).to_contain_text(f"token {points[0]} ")
    path.keyboard.press("n")
    expect(path.locator(".card")).to_contain_text(f"token {points[1]} ")
    expect(path).to_have_url(re.compile(f"[?&]token={points[1]}(&|$)"))
    path.keyboard.press("p")
    expect(path.locator(".card")).to_contain_text(f"token {points[0]} ")
    expect(path).to_have_url(re.compile(f"[?&]token={points[0]}(&|$)"))


def test_arrows_move_by_one_token(path):
    for key, place in (("ArrowRight", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        path.keyboard.press(key)
        expect(path.locator(".card")).to_contain_text(f"token {place} ")


PRESS = "document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));"
BACK = "dispatchEvent(new PopStateEvent('popstate'))"
"""What the browser does on Back."""


def test_a_token_left_right_after_a_key_press_is_not_sent(path, sent):
    """If it were sent after the navigation, it would bring back the page that was left."""
    quiet(path, sent)
    before = len(sent)
    path.evaluate(f"{PRESS} history.pushState({{}}, '', '/screening'); {BACK}")
    path.wait_for_timeout(1500)
    settle(path)
    assert len(sent) == before + 1
    assert "/screening?" in path.url


def test_a_token_reached_by_key_is_sent_before_a_click_elsewhere(path):
    path.evaluate(PRESS + "document.body.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }))")
    expect(path.locator("div.lines .token.pinned")).to_have_count(1, timeout=300)


def test_harmful_and_helpful_tokens_are_found_by_key(reader, url, finished):
    teacher, at_path = with_both_signs(finished[1])
    page = open_path(reader, f"{url}/tree?question=sum&path={at_path}&teacher={teacher}")
    for key, sign in (("h", "^−"), ("g", r"^\+")):
        page.keyboard.press(key)
        expect(page.locator(".card .figures b").first).to_have_text(re.compile(sign))
        page.keyboard.press("Escape")


def with_both_signs(file):
    """A teacher and a path of the first question on which it helps at one token and harms at another."""
    with RunReader(file) as reader:
        scores = reader.query("scores", objective="reverse_kl", convention="on_policy-full-off")
    sure = scores[(scores["question"] == 0) & (scores["alignment"].abs() > 0.05)]
    signs = sure.groupby(["teacher", "path"])["alignment"].agg(["min", "max"])
    return signs[(signs["min"] < 0) & (signs["max"] > 0)].index[0]


def test_keys_are_left_alone_while_typing(path):
    path.get_by_role("button", name="View settings").click()
    path.get_by_role("spinbutton", name="min visits").click()
    path.keyboard.press("n")
    path.keyboard.press("ArrowRight")
    path.wait_for_timeout(600)
    expect(path.locator(".card")).to_be_hidden()
    assert re.search(r"[?&]token=(&|$)", path.url)


def test_the_keys_are_explained(path):
    path.get_by_role("button", name="?", exact=True).click()
    expect(path.locator(".help")).to_be_visible()
    expect(path.locator(".help")).to_contain_text("decision point")


def test_another_teacher_changes_scores_and_address(path):
    def scores():
        return path.locator("div.lines .token").evaluate_all(
            "all => all.map(t => t.style.getPropertyValue('--colour'))"
        )

    before, text = scores(), path.locator("div.lines .token").all_text_contents()
    path.get_by_role("combobox", name="teacher").click()
    path.get_by_role("option", name="Self-1C", exact=True).click()
    expect(path).to_have_url(re.compile("[?&]teacher=Self-1C&"))
    eventually(lambda: scores() != before)
    assert path.locator("div.lines .token").all_text_contents() == text


def test_another_colour_changes_the_legend(path):
    expect(path.locator(".odd-legend")).to_contain_text("sign not settled")
    path.get_by_role("combobox", name="colour by").click()
    path.get_by_role("option", name="KL").click()
    expect(path.locator(".odd-legend")).to_contain_text("nats")
    expect(path).to_have_url(re.compile("colour=kl"))


def test_the_legend_stays_in_view(path):
    decision(path).click()
    expect(path.get_by_text("How the student continues")).to_be_visible()
    path.get_by_text("is shown for this question").scroll_into_view_if_needed()
    expect(path.locator(".odd-legend")).to_be_in_viewport()


def test_back_unpins_what_was_pinned(path):
    decision(path).click()
    expect(path.get_by_text("Pinned: token")).to_be_visible()
    path.go_back()
    expect(path.get_by_text("Nothing is pinned")).to_be_visible()
    expect(path.locator("div.lines .token.pinned")).to_have_count(0)


def test_the_scores_can_be_saved(path, tmp_path):
    with path.expect_download() as saved:
        path.get_by_title("Save the scores of the tokens").click()
    lines = saved.value.path().read_text().splitlines()
    assert lines[0].startswith('"position","token","decision_point"')
    assert len(lines) == path.locator("div.lines .token").count() + 1
    with path.expect_download() as saved:
        path.get_by_role("button", name="SVG").last.click()
    assert "<svg" in saved.value.path().read_text()


@pytest.fixture
def hostile(cache, finished):
    """A run file whose tokens, question and teachers' prompts are markup; never the one opened by default."""
    path = shutil.copy(finished[1], cache / f"{HOSTILE}.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE vocabulary SET bytes = ? WHERE token % 3 = 0", [MARKUP])
        connection.execute("UPDATE vocabulary SET bytes = ? WHERE token % 3 = 1", ["\u202e\t ".encode() + b"\xff\x00"])
        text = MARKUP.decode() + " $x$ :red[y] [z](javascript:document.title='owned')"
        connection.execute("UPDATE questions SET text = ?, note = ?", [text, text])
        connection.execute("UPDATE contexts SET prompt_text = ?", [text])
    os.utime(path, (1, 1))
    yield HOSTILE
    path.unlink()


def test_hostile_tokens_and_questions_are_only_text(reader, url, hostile):
    errors = []
    reader.page.on("dialog", lambda dialog: errors.append(dialog.message))
    page = open_path(reader, f"{url}/tree?run={hostile}&question=sum&token=1")
    title = page.title()
    expect(page.get_by_text("Pinned: token 1")).to_be_visible()
    expect(page.locator("div.lines .token", has_text=MARKUP.decode()).first).to_be_visible()
    page.locator("div.lines .token", has_text=MARKUP.decode()).first.hover()
    expect(page.locator(".card")).to_contain_text(MARKUP.decode())
    expect(page.get_by_text("[z](javascript").first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.locator('a[href^="javascript"]').count() == 0
    assert page.title() == title != "owned"
    assert not errors
