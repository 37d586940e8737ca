"""What the server's headers allow a page to do in the browser."""

import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pages.shared.frame import PAGES
from tests.browser.conftest import open_page


@pytest.mark.parametrize("path", ["/", "/tree", "/_stcore/health"])
def test_every_response_has_the_headers(url, path):
    with urllib.request.urlopen(url + path) as response:
        headers = response.headers
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("SAMEORIGIN", "nosniff")


@pytest.mark.parametrize("name", [Path(page).stem for page in PAGES])
def test_a_page_stays_within_its_policy_and_asks_no_other_host(new_page, url, name):
    page, refused, asked = new_page(), [], []
    page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, f"{url}/{name}?question=sum&path=1&token=3")
    assert not refused
    assert asked and not [address for address in asked if not address.startswith((url, "data:", "blob:"))]


def test_another_site_cannot_show_the_dashboard_in_a_frame(new_page, url):
    page = new_page()
    page.set_content(f'<iframe src="{url}"></iframe>')
    expect(page.locator("iframe")).to_be_attached()
    page.wait_for_timeout(1000)
    assert not [frame for frame in page.frames if frame.url.startswith(url)]
