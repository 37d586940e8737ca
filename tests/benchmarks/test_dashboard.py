import os
import re
import subprocess
import sys

import pytest

from benchmarks.serving import ROOT

PAGES = ("Questions",)
GROWTH = "memory added by each further session"
MEASURED = [
    "first page of a new server",
    *(f"first render of {page}, {state}" for page in PAGES for state in ("cold", "warm")),
    *(f"Tree: {part} changed" for part in ("teacher", "objective", "colour", "token")),
    *(f"Compare: {part} changed" for part in ("baseline", "objective", "colour", "token")),
    "bytes of one tree view",
    "messages sent while hovering",
    GROWTH,
    "2 readers at once: first render of Tree",
    "2 readers at once: teacher changed",
]


def benchmark(folder, **environment):
    command = [sys.executable, "-m", "benchmarks.dashboard", str(folder), "--small"]
    environment = os.environ | {"COLUMNS": "200", "OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.long
def test_everything_is_measured_and_hovering_asks_the_server_nothing(tmp_path):
    done = benchmark(tmp_path)
    assert done.returncode == 0, done.stderr
    table = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines() if "│" in line]
    lines = {what: median for _, what, _, median, *_ in table}
    missing = [what for what in MEASURED if not any(line.startswith(what) for line in lines)]
    assert not missing
    # a server may use less memory after the second session than after the first
    lines[GROWTH] = lines[GROWTH].removeprefix("-")
    assert all(re.fullmatch(r"[\d.,]+", median) for median in lines.values()), lines
    assert lines["messages sent while hovering"] == "0"


def test_without_a_browser_it_says_how_to_get_one(tmp_path):
    done = benchmark(tmp_path, PATH=str(tmp_path), CHROMIUM="")
    assert done.returncode == 1
    assert done.stderr.startswith("no Chromium") and done.stderr.count("\n") == 1
