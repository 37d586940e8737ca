"""The app in a separate process, and a browser to drive it."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import playwright
from playwright.sync_api import Browser, Playwright, sync_playwright

ROOT = Path(__file__).parents[1]
BROWSERS = "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"
PATIENCE = 120.0
"""Timeout for starting the app, in seconds."""


@dataclass(frozen=True)
class Server:
    """A running app.

    Attributes:
        url: address of the app.
        process: the process.
    """

    url: str
    process: subprocess.Popen

    @property
    def memory(self) -> int:
        """Resident memory of the process, in bytes."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def seconds(self) -> float:
        """CPU seconds used by the process, over all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder: Path, script: Path = ROOT / "app.py", port: int | None = None) -> Iterator[Server]:
    """Serve the app from a folder, showing its `cache`, and stop it on exit.

    Raises:
        RuntimeError: the app exited or did not answer in time; includes the end of `streamlit.log` in the folder.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true"]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    log = folder / "streamlit.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=file, stderr=file)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        _wait(server, log)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:  # it waits for an open connection
            process.kill()
            process.wait()


def _wait(server: Server, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while server.process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start:\n{log.read_text(errors='replace')[-2000:]}")


def chromium_path() -> str:
    """Return the path of the browser: $CHROMIUM, or an installed one.

    Raises:
        RuntimeError: there is none; the message says how to get it.
    """
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise RuntimeError("no Chromium: apt-get install chromium-headless-shell, or set CHROMIUM to its path")
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser and its driver."""
    with sync_playwright() as driver:
        browser = launch_chromium(driver)
        yield browser
        browser.close()


@contextmanager
def patient_chromium() -> Iterator[Browser]:
    """Run a browser and its driver with idle priority.

    They represent the readers' machines, and would otherwise compete with the server for CPU time.
    """
    with tempfile.TemporaryDirectory() as folder:
        node = _patient(Path(playwright.__file__).parent / "driver" / "node", Path(folder, "node"))
        with patch.dict(os.environ, PLAYWRIGHT_NODEJS_PATH=node), sync_playwright() as driver:
            browser = launch_chromium(driver, _patient(chromium_path(), Path(folder, "chromium")))
            yield browser
            browser.close()


def _patient(program: Path | str, script: Path) -> str:
    """Write a script that runs a program with idle priority.

    Chromium may raise its own niceness, but keeps the scheduling policy. Where Linux schedules by session (sched(7),
    autogroup), the niceness of the session counts, and Playwright starts a session for each browser.
    """
    leader = '[ "$(cut -d " " -f 6 /proc/self/stat)" = $$ ]'
    session = f"if [ -w /proc/self/autogroup ] && {leader}; then echo 19 > /proc/self/autogroup; fi"
    script.write_text(f'#!/bin/sh\n{session}\nexec chrt --idle 0 "{program}" "$@"\n')
    script.chmod(0o700)
    return str(script)


def launch_chromium(driver: Playwright, program: str | None = None) -> Browser:
    """Launch a headless Chromium; Playwright's own is neither needed nor downloaded.

    Args:
        driver: the Playwright driver.
        program: path of the browser; None: `chromium_path`.
    """
    # in containers /dev/shm may be tiny, and root may not use the sandbox
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    return driver.chromium.launch(executable_path=program or chromium_path(), args=arguments)
