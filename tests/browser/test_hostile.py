"""Texts from models, questions and files appear as text on every page: nothing in them runs and nothing is lost."""

import json
from itertools import product
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import expect

from benchmarks.serving import serving
from odd.text import visible_text
from tests.browser.conftest import settle
from tests.hostile import FILE, IMAGE, QUESTIONS, SCRIPT, TEACHERS, TEXTS

RUN = "hostile-00000000"
PAGES = ("questions", "tree", "compare", "findings")
EVIL = "evil.example"

# walks the document and all shadow roots; injected markup cannot hide from it
WALK = """
  const nodes = []
  const walk = (root) => { for (const node of root.querySelectorAll("*")) {
    nodes.push(node); if (node.shadowRoot) walk(node.shadowRoot) } }
  walk(document)
"""


@pytest.fixture
def asked(page, reader):
    """Every address that a page requests."""
    addresses = []

    def note(request):
        addresses.append(request.url)

    for one in (page, reader.page):
        one.on("request", note)
    yield addresses
    reader.page.remove_listener("request", note)


def intruders(page):
    """Elements that only data could have injected; links of the app may have hostile names in their query."""
    return page.evaluate(
        "() => {"
        + WALK
        + """
          return nodes.filter((node) =>
            (node.tagName === "IMG" && !/^(data|blob):/.test(node.src)) || node.tagName === "IFRAME" ||
            (node.tagName === "SCRIPT" && !node.src && /hacked/.test(node.textContent)) ||
            (node.tagName === "A" && (node.hostname.includes("evil.example") || node.protocol === "javascript:")) ||
            [...node.attributes].some(({ name }) => name.startsWith("on")) ||
            node.classList?.contains("katex")).map((node) => node.outerHTML.slice(0, 200))
        }"""
    )


def written(page):
    """All text nodes of the document and the shadow roots, joined."""
    return page.evaluate(
        "() => {"
        + WALK
        + "return [document, ...nodes.map((node) => node.shadowRoot).filter(Boolean)].flatMap((root) => {"
        "const found = [], walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);"
        "while (walker.nextNode()) found.push(walker.currentNode.data); return found}).join('') }"
    ).replace("\u2060", "")


def assert_harmless(page, asked):
    assert page.evaluate("window.hacked") is None
    assert intruders(page) == []
    assert not [address for address in asked if EVIL in urlsplit(address).netloc]
    expect(page.get_by_test_id("stException")).to_have_count(0)


def open_page(page, address):
    page.goto(address)
    page.get_by_role("link", name="Findings").first.wait_for()
    return wait(page)


def wait(page):
    settle(page)
    page.wait_for_timeout(500)  # time for an attack to load something
    return page


def addressed(hostile_url, name, **query):
    return f"{hostile_url}/{name}?{urlencode({'run': RUN} | query)}"


# Findings opens in a section that is of all questions
@pytest.mark.parametrize("name, question", [*product(PAGES[:3], QUESTIONS.values()), ("findings", QUESTIONS["sum"])])
def test_nothing_in_a_hostile_run_is_executed(reader, asked, hostile_url, name, question):
    page = wait(reader.go(addressed(hostile_url, name, question=question)))
    assert_harmless(page, asked)


def test_a_long_note_leaves_room_for_other_questions(reader, hostile_url):
    page = reader.go(addressed(hostile_url, "questions"))
    expect(page.locator(".row .note").first).to_contain_text("window.hacked")
    assert page.locator(".row").count() == 3
    assert all(row.bounding_box()["height"] < 250 for row in page.locator(".row").all())


@pytest.mark.parametrize("teacher", TEACHERS.values())
def test_a_hostile_teacher_can_be_chosen(reader, asked, hostile_url, teacher):
    page = wait(reader.go(addressed(hostile_url, "tree", question=QUESTIONS["sum"], teacher=teacher, token=1)))
    page.get_by_text("is shown for this question").click()
    expect(page.get_by_test_id("stCode").first).to_be_visible()
    wait(page)
    assert_harmless(page, asked)
    assert page.get_by_label("teacher", exact=True).first.input_value() == teacher


def test_the_list_of_runs_is_unharmed(page, asked, hostile_url):
    open_page(page, hostile_url)
    assert_harmless(page, asked)
    expect(page.get_by_text("is not a run id").first).to_be_visible()
    assert FILE.removesuffix(".duckdb") in written(page)


def test_a_hostile_address_is_harmless(page, asked, hostile_url):
    parts = {
        part: f"{SCRIPT}{IMAGE}[x](http://{EVIL}) $x$ :red[x]" for part in ("run", "question", "teacher", "colour")
    }
    for name in PAGES:
        open_page(page, f"{hostile_url}/{name}?{urlencode(parts)}")
        assert_harmless(page, asked)
        assert SCRIPT in written(page)


def test_hovering_over_hostile_tokens_is_harmless(reader, asked, hostile_url):
    page = wait(reader.go(addressed(hostile_url, "tree", question=QUESTIONS["sum"])))
    tokens = page.locator("div.lines .token")
    assert tokens.count() > 6
    for place in range(min(tokens.count(), 12)):
        tokens.nth(place).hover()
        assert_harmless(page, asked)


@pytest.mark.parametrize("token", range(6))
def test_pinning_hostile_tokens_is_harmless(reader, asked, hostile_url, token):
    page = wait(reader.go(addressed(hostile_url, "tree", question=QUESTIONS["sum"], token=token)))
    expect(page.locator("div.lines .token.pinned")).to_have_attribute("data-at", str(token))
    assert_harmless(page, asked)


def test_hostile_texts_appear_as_they_are(reader, hostile_url):
    page = reader.go(addressed(hostile_url, "tree"))
    text = " ".join(written(page).split())
    for attack in (
        SCRIPT,
        IMAGE,
        "{{7*7}} ${7*7}",
        ":red[x] :smile: :material/home: :streamlit:",
        "**b** _i_ `c` ~~s~~",
    ):
        assert attack in text, attack


SAMPLES = """
import json, pathlib
import streamlit as st
from odd.text import markdown_escaped
texts = json.loads(pathlib.Path("texts.json").read_text())
kinds = {"markdown": st.markdown, "warning": st.warning, "caption": st.caption, "checkbox": st.checkbox}
for kind, show in kinds.items():
    for number, text in enumerate(texts):
        with st.container(key=f"{kind}-{number}"):
            show(markdown_escaped(text))
st.text("all drawn")
"""


def test_markdown_shows_every_escaped_text_as_it_is(page, asked, tmp_path):
    (tmp_path / "app.py").write_text(SAMPLES)
    texts = [text for text in TEXTS if len(text) < 500] + [
        "1. one",
        "> quote",
        "| a |\n|---|",
        "- [ ] x",
        "~~x~~ ==y==",
    ]
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    with serving(tmp_path, tmp_path / "app.py") as server:
        page.goto(server.url)
        expect(page.get_by_text("all drawn")).to_be_visible()
        for kind in ("markdown", "warning", "caption", "checkbox"):
            for number, text in enumerate(texts):
                shown = page.locator(f".st-key-{kind}-{number}").inner_text().replace("\u2060", "")
                gap = "" if kind == "warning" else " "  # a warning shows a leading emoji separately, as its icon
                assert gap.join(shown.split()) == gap.join(visible_text(text).split()), (kind, text)
        assert_harmless(page, asked)
