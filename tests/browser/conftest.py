"""The app as a process and a real browser before it. A missing browser is a failure, not a skip."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(folder):
    """Start the app in a folder whose `cache` it shows; the process and the address."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app.py"), "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    log = open(folder / "streamlit.log", "wb")  # noqa: SIM115 - the process writes to it
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            return process, url
        except OSError:
            assert process.poll() is None, (folder / "streamlit.log").read_text()
            time.sleep(0.5)
    raise AssertionError("the app did not start within a minute")


@pytest.fixture(scope="session")
def cache(tmp_path_factory, finished):
    """The cache folder of the served app, with one finished run."""
    _, path = finished
    folder = tmp_path_factory.mktemp("served") / "cache"
    folder.mkdir()
    shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def url(cache):
    """Address of the app on the finished run."""
    process, address = serve(cache.parent)
    yield address
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("no Chromium: apt-get install chromium, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A page in a browser context of its own, at the usual size."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 1000}, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()
