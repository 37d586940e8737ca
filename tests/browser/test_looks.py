"""Every page in light and dark, in wide and narrow windows: text is readable, the legend visible, nothing overflows."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import settle

MAIN = {
    "runs": "[class*='st-key-run-']",
    "questions": ".row",
    "tree": "svg.tree",
    "compare": ".flow .column",
    "findings": ".js-plotly-plot .main-svg",
}
"""A selector that is present only if a page is drawn."""
PAINTED = {"tree": ".lines .token", "compare": ".flow .cell"}
COLOURS = ("alignment", "success", "kl")

# luminance and contrast by WCAG 2; colours are read back from a canvas, which parses every notation
READ = """
const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })
const read = (colour) => {
  canvas.clearRect(0, 0, 1, 1)
  canvas.fillStyle = colour
  canvas.fillRect(0, 0, 1, 1)
  const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data
  return [r, g, b, a / 255]
}
const over = (colour, page) => [0, 1, 2].map(i => colour[i] * colour[3] + page[i] * (1 - colour[3]))
const luminance = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
  const part = colour[i] / 255
  return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
}, 0)
const contrast = (one, other) => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (high + 0.05) / (low + 0.05)
}
const app = getComputedStyle(document.querySelector('.stApp'))
const page = read(app.backgroundColor)
"""


def open_looks(readers, url, name, scheme, width=1440, **query):
    address = f"{url}/{name}?" + "&".join(f"{key}={value}" for key, value in query.items())
    page = readers(scheme).go(address, {"width": width, "height": 1000})
    expect(page.locator(MAIN[name]).first).to_be_visible()
    settle(page)
    return page


@pytest.mark.parametrize("name", MAIN)
def test_dark_pages_have_light_text(readers, url, name):
    page = open_looks(readers, url, name, "dark")
    background, text, seen = page.evaluate(
        f"() => {{ {READ} return [luminance(page), luminance(read(app.color)), contrast(page, read(app.color))] }}"
    )
    assert background < 0.03 and text > 0.7 and seen >= 7


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_tokens_can_be_read_on_their_colour(readers, url, name, scheme, colour):
    page = open_looks(readers, url, name, scheme, question="sum", colour=colour)
    found = page.locator(PAINTED[name]).evaluate_all(
        f"""tokens => {{ {READ} return tokens.map(token => {{
          const look = getComputedStyle(token)
          const painted = read(look.backgroundColor)
          return [painted[3], contrast(read(look.color), over(painted, page)), look.backgroundImage]
        }}) }}"""
    )
    plain = [seen for opacity, seen, stripes in found if opacity > 0 and stripes == "none"]
    assert plain or colour == "alignment"
    assert min(plain, default=21) >= 4.5


@pytest.mark.parametrize("name", PAINTED)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_legend_stays_in_view_on_its_own_background(readers, url, name, scheme):
    page = open_looks(readers, url, name, scheme, question="sum")
    legend = page.locator(".odd-legend")
    expect(legend).to_be_in_viewport(ratio=1)
    page.mouse.move(720, 900)
    page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, 900)")
    page.wait_for_timeout(300)
    expect(legend).to_be_in_viewport(ratio=1)
    bar = page.locator(".st-key-legend").evaluate(
        f"bar => {{ {READ} return read(getComputedStyle(bar).backgroundColor) }}"
    )
    assert bar == page.evaluate(f"() => {{ {READ} return page }}")


@pytest.mark.parametrize("name", MAIN)
def test_a_page_uses_the_width_of_its_window(readers, url, name):
    page = open_looks(readers, url, name, "light", 1280)
    ends = page.evaluate(
        """() => ['.stMain', '.stMainBlockContainer > *'].map(part => {
          const { left, right } = document.querySelector(part).getBoundingClientRect()
          return [left, right]
        })"""
    )
    assert all(abs(outer - inner) <= 24 for outer, inner in zip(*ends, strict=True))


@pytest.mark.parametrize("name", MAIN)
@pytest.mark.parametrize("width", [800, 1280])
def test_no_page_is_wider_than_its_window(readers, url, name, width):
    page = open_looks(readers, url, name, "light", width, question="sum", token="2")
    widths = page.evaluate(
        """() => [document.documentElement, ...document.querySelectorAll('[data-testid="stMain"]')]
          .map(part => [part.scrollWidth, part.clientWidth])"""
    )
    assert all(wanted <= given for wanted, given in widths)
    part = page.locator(MAIN[name]).first.bounding_box()
    assert part["x"] >= 0 and part["x"] + min(part["width"], 40) <= width
    expect(page.get_by_role("button", name="Copy link")).to_be_in_viewport(ratio=1)
