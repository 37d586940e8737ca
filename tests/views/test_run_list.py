"""Status and order of the runs in a cache."""

import json
import os
import shutil
import time
from datetime import datetime

import pytest

from odd.config import USUAL
from odd.pipeline.jobs.job import Job, jobs_folder
from odd.pipeline.processes import start_time
from odd.store import Facts, RunReader, RunWriter, read_facts
from odd.views.run_list import SORTS, at_work, list_active, list_entries, sort_entries
from tests.store.example_run import RUN


@pytest.fixture
def cache(tmp_path):
    """A cache with one run, whose worker was killed."""
    with RunWriter(tmp_path, RUN) as writer:
        writer.publish()
    return tmp_path


def job(cache, number=1, alive=False, exit_code=None, said="", run=RUN, **parts):
    folder = jobs_folder(cache) / f"2026010{number}-000000-abcdef"
    folder.mkdir(parents=True)
    process = {"pid": os.getpid(), "start_time": start_time(os.getpid())} if alive else {"pid": 1, "start_time": 1e9}
    made = Job(
        folder, parts.get("kind", "run"), parts.get("title", "tiny"), parts.get("created", time.time()), **process
    )
    made.save()
    if run:
        (folder / "run").write_text(run)
    (folder / "log.txt").write_text(said)
    if exit_code is not None:
        (folder / "exit").write_text(str(exit_code))
    return made


def only(cache):
    (entry,) = list_entries(cache).runs
    return entry


def finish(cache):
    with RunWriter(cache, RUN) as writer:
        writer.set_meta("status", "finished")
        writer.finish()


def test_a_screened_run_is_neither_finished_nor_stopped(cache):
    with RunWriter(cache, RUN) as writer:
        writer.set_meta("status", "screened")
        writer.finish()
    assert only(cache).status == "screened" and "Run continues" in only(cache).note


def progress(cache, **changes):
    state = {
        "run_id": RUN, "stage": "targeted", "question": 0, "questions": 4, "done": 50, "total": 100, "tokens": 500,
        "seconds": 10.0, "pid": os.getpid(), "start_time": start_time(os.getpid()),
        "started": 90.0, "updated": 120.0, "first": 0, "first_at": 100.0, "question_at": 100.0, "rate": 5.0,
    }  # fmt: skip
    (cache / f"{RUN}.progress.json").write_text(json.dumps(state | changes))


def test_an_empty_cache_lists_nothing(tmp_path):
    assert list_entries(tmp_path / "none") == list_entries(tmp_path)
    assert not list_entries(tmp_path).runs
    assert not at_work(tmp_path)


def test_a_run_without_worker_is_stopped_whatever_its_file_states(cache):
    assert only(cache).info.status == "running"
    assert only(cache).status == "stopped"


def test_a_stale_progress_file_is_not_a_running_run(cache):
    progress(cache, start_time=1e9)
    assert only(cache).status == "stopped"
    assert not at_work(cache)


def test_a_run_made_from_a_terminal_is_running_elsewhere(cache):
    progress(cache)
    assert (only(cache).status, only(cache).elsewhere) == ("running", True)
    assert at_work(cache) == {RUN}
    progress(cache, stage="done")
    assert only(cache).status == "stopped"


def test_a_run_with_a_living_job_is_running(cache):
    made = job(cache, alive=True)
    progress(cache)
    assert (only(cache).status, only(cache).elsewhere) == ("running", False)
    assert at_work(cache) == {made.id}
    (made.folder / "stopped").touch()
    assert only(cache).status == "stopping"


def test_a_run_whose_job_crashed_is_failed_with_its_last_line(cache):
    job(cache, exit_code=1, said="Traceback\nerror: \x1b[31mno room\x1b[0m\n")
    assert (only(cache).status, only(cache).note) == ("failed", "no room")


def test_a_run_whose_job_was_stopped_is_stopped(cache):
    job(cache, exit_code=143)
    assert only(cache).status == "stopped"


def test_only_the_newest_job_counts(cache):
    job(cache, number=1, exit_code=1, created=1.0)
    job(cache, number=2, exit_code=143, created=2.0)
    assert only(cache).status == "stopped"


def test_a_failed_job_is_forgotten_once_somebody_finished_the_run(cache):
    made = job(cache, exit_code=1)
    os.utime(made.folder / "exit", (1.0, 1.0))
    finish(cache)
    assert (only(cache).status, only(cache).note) == ("finished", None)


def test_a_finished_run_stays_finished_when_a_teacher_could_not_be_added(cache):
    finish(cache)
    job(cache, exit_code=1, said="error: no such model", kind="add_teachers", title="Big")
    assert (only(cache).status, only(cache).note) == ("finished", "adding teacher Big failed: no such model")


def test_a_file_that_is_not_a_run_is_unreadable_with_a_reason(tmp_path):
    (tmp_path / "junk.duckdb").write_bytes(b"junk")
    (tmp_path / "<b>.duckdb").write_bytes(b"junk")
    entries = {entry.run_id: entry for entry in list_entries(tmp_path).runs}
    assert {entry.status for entry in entries.values()} == {"unreadable"}
    assert "not a DuckDB file" in entries["junk"].note
    assert (entries["junk"].valid, entries["<b>"].valid) == (True, False)


def test_a_run_that_has_published_nothing_is_listed(tmp_path):
    with RunWriter(tmp_path, RUN):
        pass
    assert (only(tmp_path).run_id, only(tmp_path).status) == (RUN, "stopped")
    assert only(tmp_path).size > 0


def test_jobs_without_a_run_are_distinguished(cache):
    lost = job(cache, exit_code=1, run=None)
    assert [one.id for one in list_entries(cache).jobs] == [lost.id]
    assert only(cache).job is None


def test_active_runs_are_in_the_order_of_their_start_whichever_file_changes(tmp_path):
    for number, name in enumerate(("b-00000001", "a-00000002")):
        with RunWriter(tmp_path, name) as writer:
            writer.publish()
        job(tmp_path, number + 1, alive=True, run=name, created=1000.0 + number)
    for name in ("b-00000001", "a-00000002"):
        os.utime(tmp_path / f"{name}.duckdb")
        assert [entry.run_id for entry in list_active(tmp_path).runs] == ["b-00000001", "a-00000002"]


def test_facts_of_a_run(finished):
    config, path = finished
    with RunReader(path) as reader:
        facts = read_facts(reader, reader.meta)
        points = reader.query("scores", **USUAL)
        points = len(points[points["decision"]].drop_duplicates(["question", "node"]))
        made = datetime.fromisoformat(reader.meta["created_at"]).timestamp()
    names = tuple(teacher.name for teacher in config.teachers)
    assert facts == Facts("tiny-s", names, questions=3, finished=3, decision_points=points, made=made)


@pytest.mark.parametrize("config", ["", "{", "[]", '{"student": "x"}', "[" * 100_000])
def test_an_unrecorded_student_is_unknown(finished, config):
    with RunReader(finished[1]) as reader:
        assert read_facts(reader, {"config": config}).student is None


@pytest.mark.parametrize("created", ["", "yesterday", "<b>", "0001-01-01"])
def test_a_run_without_creation_time_has_no_age(finished, created):
    with RunReader(finished[1]) as reader:
        assert not read_facts(reader, {"created_at": created}).made


@pytest.fixture
def several(finished, tmp_path):
    """Three runs of different ages: a, b, c from oldest to newest."""
    for age, name in enumerate("cba"):
        path = shutil.copy(finished[1], tmp_path / f"{name}.duckdb")
        os.utime(path, (10_000 - age, 10_000 - age))
    return list_entries(tmp_path).runs


def test_runs_are_sorted_as_asked(several):
    facts = {
        name: Facts(f"s-{name}", ("t",), count, count, -count) for name, count in zip("abc", (2, 3, 1), strict=True)
    }
    orders = {"newest first": "cba", "oldest first": "abc", "questions": "bac", "decision points": "cab"}
    for order, names in orders.items():
        assert "".join(entry.run_id for entry in sort_entries(several, facts, order)) == names
    for order in SORTS:
        assert len(sort_entries(several, {}, order)) == 3


def test_runs_are_found_by_name_student_and_teacher(several):
    facts = {"a": Facts("mine", ("Big",), 1, 1, 1), "b": Facts(None, ("Self-1C",), 1, 1, 1), "c": None}
    for text, names in {"a": "a", "MINE": "a", "self": "b", "c": "cb", "": "cba", "nothing": ""}.items():
        assert "".join(entry.run_id for entry in sort_entries(several, facts, "newest first", text)) == names
