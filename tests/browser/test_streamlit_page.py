"""Assumptions of our styles and scripts about Streamlit's pages (listed in CONTRIBUTING.md)."""

import pytest

from tests.browser.test_looks import open_looks

TAKEN_FOR_GRANTED = {
    "tree": (
        ".stMainBlockContainer",
        "[class*='st-key-beside-'] [data-testid='stColumn']",
        "[data-testid='stLayoutWrapper']:has(> .st-key-legend)",
        ".st-key-question-text *",
    ),
    "runs": ("div:has(> [class*='st-key-said-'])",),
    "findings": ("[class*='st-key-'] .js-plotly-plot .main-svg", ".js-plotly-plot .modebar-container"),
}


@pytest.mark.parametrize(
    ("name", "selector"), [(name, one) for name, all_ in TAKEN_FOR_GRANTED.items() for one in all_]
)
def test_styled_elements_exist(readers, url, name, selector):
    assert open_looks(readers, url, name, "light").locator(selector).count() > 0


def test_the_sidebar_is_as_narrow_as_asked(readers, url):
    page = open_looks(readers, url, "tree", "light")
    assert page.get_by_test_id("stSidebar").bounding_box()["width"] == 216
