"""A worker that is killed with SIGKILL loses nothing that it had committed."""

import signal
import subprocess
import sys
import time

import pytest

from odd.pipeline import run
from odd.store import RunReader, published_path
from tests.runs import assert_same_results, small_config

WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from odd.config import RunConfig
from odd.pipeline import run
config = RunConfig.model_validate_json(Path({config!r}).read_text())
def tell(step):
    print(step.stage, flush=True)
run(config, tell)
"""


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, 5, 8, 12])
def test_killed_run_goes_on_to_the_same_result(finished, tmp_path, pytestconfig, steps):
    config = small_config(tmp_path)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    code = WORKER.format(root=str(pytestconfig.rootpath), config=str(tmp_path / "config.json"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as worker:
        for _ in range(steps):
            next(iter(worker.stdout))
        time.sleep(0.05 * steps)  # somewhere inside the next step
        worker.send_signal(signal.SIGKILL)
    assert worker.returncode == -signal.SIGKILL
    run_id = finished[1].stem
    published = published_path(config.cache, run_id)
    before = _finished_questions(published) if published.exists() else 0
    drawn = []
    assert_same_results(finished[1], run(config, drawn.append))
    fresh_steps = {step.question for step in drawn if step.stage == "score"}
    assert len(fresh_steps) <= 2 - min(before, 2)


def _finished_questions(path):
    with RunReader(path) as reader:
        return int((reader.query("questions")["stage"] == "scored").sum())
