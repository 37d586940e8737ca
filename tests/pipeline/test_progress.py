"""The progress file shows which process works on a run, and how fast."""

import json

import pytest

from odd.pipeline.jobs import read_progress
from odd.pipeline.progress import JOB_FOLDER, Progress, ProgressFile

RUN = "x-00000000"


def read(cache):
    return json.loads((cache / f"{RUN}.progress.json").read_text())


def step(stage="targeted", question=0, done=10, seconds=2.0):
    return Progress(
        run_id=RUN, stage=stage, question=question, questions=4, done=done, total=100, tokens=50, seconds=seconds
    )


def test_what_is_written_can_be_watched(tmp_path):
    ProgressFile(tmp_path)(step())
    state = read_progress(tmp_path, RUN)
    assert state.alive
    assert (state.done, state.total, state.tokens_per_second) == (10, 100, 25)


def test_a_finished_run_is_not_alive(tmp_path):
    ProgressFile(tmp_path)(step("done"))
    assert not read_progress(tmp_path, RUN).alive


def test_the_rate_excludes_earlier_work(tmp_path):
    listen = ProgressFile(tmp_path)
    listen(step(done=60, seconds=2.0))
    assert read(tmp_path)["rate"] is None
    listen(step(done=80, seconds=6.0))
    assert read(tmp_path)["rate"] == pytest.approx(5.0)
    listen(step("score", done=1, seconds=1.0))
    assert read(tmp_path)["rate"] is None


def test_the_first_question_is_the_first_of_this_process(tmp_path):
    listen = ProgressFile(tmp_path)
    listen(step(question=2))
    listen(step(question=3))
    state = read(tmp_path)
    assert state["first"] == 2
    assert state["first_at"] <= state["question_at"] <= state["updated"]


def test_a_job_learns_its_run(tmp_path, monkeypatch):
    monkeypatch.setenv(JOB_FOLDER, str(tmp_path))
    ProgressFile(tmp_path)(step())
    assert (tmp_path / "run").read_text() == RUN
    assert not list(tmp_path.glob("*.tmp"))


def test_a_deleted_job_folder_does_not_end_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv(JOB_FOLDER, str(tmp_path / "gone"))
    ProgressFile(tmp_path)(step())
    assert read(tmp_path)["done"] == 10
