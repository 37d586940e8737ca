"""The app as a process of its own, and the browser that stands before it."""

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
BROWSERS = "chromium", "chromium-browser", "google-chrome"
PATIENCE = 120.0
"""Seconds that the app has to start."""


@dataclass(frozen=True)
class Server:
    """A running app.

    Attributes:
        url: its address.
        process: the process.
    """

    url: str
    process: subprocess.Popen

    @property
    def memory(self) -> int:
        """Bytes of memory that the process holds."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    @property
    def seconds(self) -> float:
        """Processor time that the process has used, in all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder: Path, script: Path = ROOT / "app.py", port: int | None = None) -> Iterator[Server]:
    """Serve the app in a folder whose `cache` it shows, and end it.

    Raises:
        RuntimeError: it ended, or did not answer in time; with the end of its log, `streamlit.log` in the folder.
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
        except subprocess.TimeoutExpired:  # it waits for a reader who is still there
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
    """Program of the browser: $CHROMIUM, or one that is installed.

    Raises:
        RuntimeError: there is none; says how to get it.
    """
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise RuntimeError("no Chromium: apt-get install chromium, or set CHROMIUM to its path")
    return path


@contextmanager
def patient_chromium() -> Iterator[Browser]:
    """A browser that only gets the processor time that nobody else wants, and so does what drives it.

    They stand for the machines of readers, and would otherwise take the server's time on this one.
    """
    with tempfile.TemporaryDirectory() as folder:
        node = _patient(Path(playwright.__file__).parent / "driver" / "node", Path(folder, "node"))
        with patch.dict(os.environ, PLAYWRIGHT_NODEJS_PATH=node), sync_playwright() as driver:
            browser = launch_chromium(driver, _patient(chromium_path(), Path(folder, "chromium")))
            yield browser
            browser.close()


def _patient(program: Path | str, script: Path) -> str:
    """A script that runs a program as idle.

    Chromium raises its own niceness where it may, but leaves the policy alone. Where Linux shares the processors out
    by session (sched(7), autogroup), the niceness of a session counts, and Playwright gives each browser its own.
    """
    leader = '[ "$(cut -d " " -f 6 /proc/self/stat)" = $$ ]'
    session = f"if [ -w /proc/self/autogroup ] && {leader}; then echo 19 > /proc/self/autogroup; fi"
    script.write_text(f'#!/bin/sh\n{session}\nexec chrt --idle 0 "{program}" "$@"\n')
    script.chmod(0o700)
    return str(script)


def launch_chromium(driver: Playwright, program: str | None = None) -> Browser:
    """A headless Chromium; Playwright's own is neither needed nor downloaded.

    Args:
        driver: that starts it.
        program: that is started; None: `chromium_path`.
    """
    # in containers /dev/shm may be tiny, and root may not use the sandbox
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    return driver.chromium.launch(executable_path=program or chromium_path(), args=arguments)
