"""A worker killed with SIGKILL loses nothing that it had committed."""

import itertools
import multiprocessing
import shutil
import signal
import threading
import time
from functools import partial

import pytest

from odd.config import TeacherConfig
from odd.pipeline.screening import screen
from odd.pipeline.worker import add_teachers, run
from odd.store import RunReader, published_path
from tests.runs import SCREENING, assert_same_results, quick_config, quick_screening_config, rows, small_config

LATE = [TeacherConfig(name="Late", context="1c"), TeacherConfig(name="Later", context="1c1w")]
# each worker is a separate process, forked from one that has loaded all code
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["odd.pipeline.worker", "odd.pipeline.screening", "tests.models.bigram_engine", "tests.runs"]
)


def work(job, steps, reports):
    """Run a job that reports its steps, and pause at the start of the step after the n-th."""
    begun = itertools.count()

    def report(step):
        if next(begun) == steps:
            threading.Event().wait()
        reports.send(step.stage)

    job(report)


def kill(job, steps):
    """Run a job in a separate process and kill it within its n-th step, which is not its last."""
    here, there = PROCESSES.Pipe(duplex=False)
    worker = PROCESSES.Process(target=work, args=(job, steps, there))
    worker.start()
    there.close()
    for _ in range(steps):
        here.recv()
    time.sleep(0.02 * steps)
    worker.kill()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL


@pytest.fixture
def copied(quick, tmp_path):
    """A finished run in its own cache: its config and its file."""
    config, path = quick
    shutil.copy(path, tmp_path / path.name)
    return config.model_copy(update={"cache": tmp_path}), tmp_path / path.name


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, 5, 12])
def test_killed_run_continues_to_the_same_result(quick, tmp_path, steps):
    config = quick_config(tmp_path)
    kill(partial(run, config), steps)
    published = published_path(config.cache, quick[1].stem)
    before = _finished_questions(published) if published.exists() else 0
    drawn = []
    assert_same_results(quick[1], run(config, drawn.append))
    fresh_steps = {step.question for step in drawn if step.stage == "score"}
    assert len(fresh_steps) <= 2 - min(before, 2)


@pytest.mark.slow
def test_a_killed_run_whose_models_take_turns_continues_to_the_same_result(quick, tmp_path):
    config = quick_config(tmp_path, models={"resident": 1})
    kill(partial(run, config), 5)  # with several questions begun
    assert_same_results(quick[1], run(config, lambda step: None))


@pytest.mark.slow
def test_a_killed_run_of_an_embedded_model_continues_to_the_same_result(finished, tmp_path):
    config = small_config(tmp_path)
    kill(partial(run, config), 5)
    assert_same_results(finished[1], run(config, lambda step: None))


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4])
def test_killed_adding_of_teachers_continues_to_the_same_result(copied, tmp_path, steps):
    config, path = copied
    (tmp_path / "whole").mkdir()
    shutil.copy(path, tmp_path / "whole" / path.name)
    whole = add_teachers(tmp_path / "whole", path.stem, LATE, lambda step: None)
    kill(partial(add_teachers, config.cache, path.stem, LATE), steps)
    assert_same_results(whole, add_teachers(config.cache, path.stem, LATE, lambda step: None))


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 4])
def test_killed_reanalysis_continues_to_the_same_result(copied, quick, tmp_path, steps):
    config, path = copied
    changed = config.model_copy(update={"analysis": config.analysis.model_copy(update={"n_sig": 20})})
    (tmp_path / "whole").mkdir()
    shutil.copy(path, tmp_path / "whole" / path.name)
    whole = run(changed.model_copy(update={"cache": tmp_path / "whole"}), lambda step: None, rescore=True)
    kill(partial(run, changed, rescore=True), steps)
    resumed = run(changed, lambda step: None)
    assert_same_results(whole, resumed)
    assert rows(resumed, "SELECT count(*) FROM scores") != rows(quick[1], "SELECT count(*) FROM scores")


@pytest.mark.slow
@pytest.mark.parametrize("steps", [2, 5])
def test_killed_screening_continues_to_the_same_result(quick_screened, tmp_path, steps):
    config = quick_screening_config(tmp_path)
    kill(partial(screen, config), steps)
    assert_same_results(quick_screened[1], screen(config, lambda step: None), SCREENING)


def _finished_questions(path):
    with RunReader(path) as reader:
        return int((reader.query("questions")["stage"] == "scored").sum())
