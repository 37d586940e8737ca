"""Jobs are separate processes: they can be started, watched, stopped, killed, resumed and removed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from odd.config import PRESETS, QuestionsConfig, TeacherConfig, Templates, load_config
from odd.errors import OddError
from odd.pipeline.jobs import (
    continue_run,
    delete_run,
    keep_questions,
    list_jobs,
    read_progress,
    remove_job,
    resume,
    start_adding_teachers,
    start_run,
    stop,
    tail,
    time_left,
)
from odd.pipeline.jobs import start as starting
from odd.pipeline.jobs.job import Job, jobs_folder
from odd.pipeline.jobs.log import last_line
from odd.pipeline.processes import is_running, start_time
from odd.pipeline.progress import ProgressRecord
from odd.pipeline.worker import run
from odd.questions.sources import load_questions
from odd.store import RunReader, published_path, work_path
from tests.runs import assert_same_results, quick_config, small_config

LONG = {"sampling": {"initial_rollouts": 800, "max_new_tokens": 48, "batch_size": 16}}
PROCESSES = Path(__file__).parents[1] / "processes"
ENDLESS = {"sampling": {"initial_rollouts": 50_000, "max_new_tokens": 48, "batch_size": 16}}


def wait(condition, seconds=120):
    """Wait until `condition` holds, by polling."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def ended(job, seconds=180):
    wait(lambda: not job.alive, seconds)
    return job


@pytest.fixture(autouse=True)
def processes_know_the_fake_engine(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (PROCESSES, PROCESSES.parents[1]))))


@pytest.fixture
def started():
    """Jobs started by a test, which are ended with it."""
    jobs = []
    yield lambda job: jobs.append(job) or job
    for job in jobs:
        if job.alive:
            os.killpg(job.pid, signal.SIGKILL)
            ended(job)


@pytest.fixture
def shell_job(tmp_path, monkeypatch, started):
    """A job that runs a line of Python instead of ODD."""

    def start(code):
        monkeypatch.setattr(starting, "_command", lambda job, cache: [sys.executable, "-c", code])
        return started(start_run(PRESETS["demo"].model_copy(update={"cache": tmp_path})))

    return start


def status(path):
    with RunReader(path) as reader:
        return reader.meta["status"]


def test_exit_code_and_last_line_show_how_a_job_ended(shell_job):
    job = ended(shell_job("import sys; print('fine so far'); sys.exit('error: no such \\x1b[31mthing\\x1b[0m')"))
    assert (job.state, job.exit_code, job.reason) == ("failed", 1, "no such thing")


def test_a_job_that_succeeds_is_finished(shell_job):
    job = ended(shell_job("pass"))
    assert (job.state, job.exit_code) == ("finished", 0)


def test_a_job_that_is_killed_says_so(shell_job):
    job = shell_job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (ended(job).state, job.exit_code) == ("failed", 137)
    assert "killed" in job.reason


def test_a_job_killed_with_its_shell_has_no_exit_code(shell_job):
    job = shell_job("import time; time.sleep(60)")
    os.killpg(job.pid, signal.SIGKILL)
    assert (ended(job).state, job.exit_code) == ("failed", None)
    assert "killed" in job.reason


def test_a_job_that_does_not_stop_is_killed_after_the_grace_period(shell_job):
    job = shell_job("import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)")
    wait(lambda: "deaf" in tail(job.log))
    stop(job, grace=0.5)
    assert job.state == "stopping"
    assert ended(job, 10).state == "stopped"


def test_stopping_a_reused_process_id_is_harmless(tmp_path):
    folder = jobs_folder(tmp_path) / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as other:
        job = Job(folder, "run", "old", 0.0, pid=other.pid, start_time=1e9)
        assert not job.alive
        stop(job)
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0


def test_a_process_that_nobody_waited_for_does_not_run():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert start_time(process.pid) is None
    process.wait()


def test_a_process_is_known_by_number_and_start_time():
    own = start_time(os.getpid())
    assert is_running(os.getpid(), own)
    for pid, started in ((os.getpid(), own - 60), (os.getpid(), None), (None, own), (1, own), (-1, own), (2**40, own)):
        assert not is_running(pid, started)


def test_jobs_are_listed_newest_first_and_other_files_are_skipped(tmp_path):
    for number in (1, 2):
        folder = jobs_folder(tmp_path) / f"2026010{number}-000000-abcdef"
        folder.mkdir(parents=True)
        Job(folder, "run", f"job {number}", float(number)).save()
    spoilt = ("20260103-000000-abcdef", "{"), ("20260104-000000-abcdef", "[]")
    for name, content in (*spoilt, ("../x-y-z", "{}")):
        folder = jobs_folder(tmp_path) / name
        folder.mkdir(parents=True)
        (folder / "job.json").write_text(content)
    assert [job.title for job in list_jobs(tmp_path)] == ["job 2", "job 1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"start_time": "now"}, {"start_time": float("nan")}, {"created": float("nan")}, {"created": -1e18},
        {"created": 1e308}, {"pid": -1}, {"pid": 10**30}, {"pid": "a"}, {"run": "../../x"}, {"run": ["a"]},
        {"title": None}, {"title": 5}, {"kind": "fly"},
    ],
)  # fmt: skip
def test_an_impossible_job_is_skipped_and_the_others_are_listed(tmp_path, changes):
    for number, record in enumerate(({}, changes)):
        folder = jobs_folder(tmp_path) / f"2026010{number}-000000-abcdef"
        folder.mkdir(parents=True)
        sound = {"kind": "run", "title": "sound", "created": 1.0, "run": None, "pid": None, "start_time": None}
        (folder / "job.json").write_text(json.dumps(sound | record))
    assert [job.title for job in list_jobs(tmp_path)] == ["sound"]


def test_a_job_with_pipes_and_huge_files_in_place_of_its_files_is_listed(tmp_path):
    for number, name in enumerate(("job.json", "run", "exit", "log.txt")):
        folder = jobs_folder(tmp_path) / f"2026010{number}-000000-abcdef"
        folder.mkdir(parents=True)
        Job(folder, "run", name, 1.0).save()
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    nested = jobs_folder(tmp_path) / "20260109-000000-abcdef"
    nested.mkdir()
    (nested / "job.json").write_text("[" * 100_000)
    jobs = list_jobs(tmp_path)
    assert {job.title for job in jobs} == {"run", "exit", "log.txt"}
    assert all(job.run_id is None and job.exit_code is None and job.state == "failed" and job.reason for job in jobs)


def test_the_run_of_a_job_is_not_a_path(tmp_path):
    folder = jobs_folder(tmp_path) / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    (folder / "run").write_text("../../etc/passwd")
    assert Job(folder, "run", "x", 0.0).run_id is None


@pytest.mark.parametrize("text", ["plain", 'q"\\', "tab\tline\nend\x7f\x01", "Ünï 🎉 \u2028", "[a]\nb=1", "{x}", "'''"])
def test_settings_survive_their_file(tmp_path, monkeypatch, text):
    monkeypatch.setattr(starting, "_start", lambda job, cache: job)
    config = small_config(tmp_path).model_copy(update={"templates": Templates(closing=text)})
    job = start_run(config)
    assert load_config("demo", job.settings, (f"cache={json.dumps(str(config.cache))}",)) == config


def test_a_job_of_an_earlier_version_keeps_its_settings(tmp_path):
    (tmp_path / "config.toml").write_text("")
    assert Job(tmp_path, "run", "x", 0.0).settings == tmp_path / "config.toml"


def test_a_log_is_plain_text(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"\x1b[2J\x1b]0;title\x07one\n10%\r20%\rdone \x1b[1;31mred\x1b[0m\x00\n\xff<b>\n\n")
    assert tail(log) == "one\ndone red\n\ufffd<b>"
    assert last_line(log) == "\ufffd<b>"
    assert tail(tmp_path / "none") == ""


def test_questions_with_the_same_content_share_a_file(tmp_path):
    line = b'{"id": "a", "question": "q", "answer": "1", "kind": "number"}'
    first, second = keep_questions(tmp_path, "../../My set.jsonl", line), keep_questions(tmp_path, "My set.jsonl", line)
    assert first == second
    assert first.parent == tmp_path / "questions"
    assert first.read_bytes() == line


@pytest.mark.parametrize("name", ["questions.csv", "questions.parquet"])
def test_tables_of_questions_keep_their_format(tmp_path, name):
    content = (Path(__file__).parents[2] / "docs" / "examples" / name).read_bytes()
    kept = keep_questions(tmp_path, name, content)
    assert kept.suffix == Path(name).suffix and kept.read_bytes() == content
    assert len(load_questions(QuestionsConfig(source=str(kept)))) == 6


def test_questions_that_cannot_be_read_are_not_kept(tmp_path):
    with pytest.raises(OddError, match=r"mine\.jsonl, line 2"):
        keep_questions(tmp_path, "mine.jsonl", b'{"id": "a", "question": "q", "answer": "1", "kind": "number"}\n{')
    assert not list((tmp_path / "questions").iterdir())


def watched(**changes):
    state = {
        "run_id": "x-00000000", "stage": "targeted", "question": 0, "questions": 4, "done": 50, "total": 100,
        "tokens": 500, "seconds": 10.0, "pid": os.getpid(), "start_time": start_time(os.getpid()),
        "started": 90.0, "updated": 120.0, "first": 0, "first_at": 100.0, "question_at": 100.0, "rate": 5.0,
    }  # fmt: skip
    return state | changes


def test_time_left_is_unknown_before_most_of_the_first_question_is_seen():
    for changes in ({"stage": "initial"}, {"stage": "plan"}, {"rate": None}):
        assert time_left(120.0, ProgressRecord(**watched(**changes))) is None


def test_time_left_in_the_first_question_counts_on_it_for_the_others():
    # 10 s of rollouts are left, so the question takes 30 s in all, and three more follow
    assert time_left(120.0, ProgressRecord(**watched())) == pytest.approx(10 + 3 * 30)


def test_time_left_after_finished_questions_takes_their_mean():
    state = ProgressRecord(**watched(question=2, question_at=160.0, updated=165.0, rate=None))
    assert time_left(165.0, state) == pytest.approx(25 + 30)


def test_time_left_of_a_resumed_run_takes_only_questions_of_this_process():
    state = ProgressRecord(**watched(first=2, question=2, question_at=100.0))
    assert time_left(120.0, state) == pytest.approx(10 + 30)


def test_time_left_decreases_between_two_steps():
    state = ProgressRecord(**watched(question=2, question_at=160.0, updated=165.0))
    assert time_left(168.0, state) < time_left(165.0, state)


def test_a_stale_progress_file_is_not_a_running_run(tmp_path):
    path = tmp_path / "x-00000000.progress.json"
    path.write_text(json.dumps(watched()))
    assert read_progress(tmp_path, "x-00000000").alive
    path.write_text(json.dumps(watched(start_time=1e9)))
    assert not read_progress(tmp_path, "x-00000000").alive


@pytest.mark.parametrize(
    "changes",
    [
        {"done": "many"}, {"done": 1.5}, {"done": True}, {"question": -1}, {"total": 10**400}, {"stage": "lunch"},
        {"stage": None}, {"rate": float("inf")}, {"seconds": "1"}, {"pid": None}, {"run_id": "y-00000000"},
    ],
)  # fmt: skip
def test_impossible_progress_is_ignored(tmp_path, changes):
    (tmp_path / "x-00000000.progress.json").write_text(json.dumps(watched(**changes)))
    assert read_progress(tmp_path, "x-00000000") is None


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b'{"run_id": "x-00000000"}', b"[" * 100_000])
def test_a_malformed_progress_file_is_ignored(tmp_path, content):
    (tmp_path / "x-00000000.progress.json").write_bytes(content)
    assert read_progress(tmp_path, "x-00000000") is None


def test_a_pipe_in_place_of_a_progress_file_is_ignored(tmp_path):
    os.mkfifo(tmp_path / "x-00000000.progress.json")
    assert read_progress(tmp_path, "x-00000000") is None


def test_a_job_that_runs_is_not_removed(shell_job):
    job = shell_job("import time; time.sleep(60)")
    with pytest.raises(OddError, match="stop it first"):
        remove_job(job)


@pytest.mark.slow
def test_a_run_is_made_and_gets_a_teacher_and_is_deleted(quick, tmp_path, started):
    config = quick_config(tmp_path)
    job = ended(started(start_run(config)))
    assert (job.state, job.run_id) == ("finished", quick[1].stem), tail(job.log)
    assert_same_results(quick[1], published_path(config.cache, job.run_id))
    assert read_progress(config.cache, job.run_id).stage == "done"
    late = TeacherConfig(name="Late", context="1c")
    added = ended(started(start_adding_teachers(config.cache, job.run_id, [late])))
    assert added.state == "finished", tail(added.log)
    with RunReader(published_path(config.cache, job.run_id)) as reader:
        assert "Late" in reader.query("teachers")["teacher"].tolist()
    delete_run(config.cache, quick[1].stem)
    assert [path.name for path in config.cache.rglob("*") if path.is_file()] == [f"{quick[1].stem}.lock"]


@pytest.mark.slow
def test_a_stopped_run_continues_to_the_same_result(tmp_path, started):
    config = quick_config(tmp_path, **LONG)
    job = started(start_run(config))
    wait(lambda: job.run_id is not None)
    stop(job)
    assert ended(job, 20).state == "stopped"
    path = published_path(config.cache, job.run_id)
    assert status(path) == "stopped"
    again = ended(started(resume(job, config.cache)))
    assert (again.state, again.run_id) == ("finished", job.run_id), tail(again.log)
    whole = run(config.model_copy(update={"cache": tmp_path / "whole"}), lambda step: None)
    assert_same_results(whole, path)


@pytest.mark.slow
def test_a_killed_run_is_failed_and_continues_from_its_own_file(tmp_path, started):
    config = quick_config(tmp_path, **ENDLESS)
    job = started(start_run(config))
    wait(lambda: job.run_id is not None and published_path(config.cache, job.run_id).exists())
    os.killpg(job.pid, signal.SIGKILL)
    assert ended(job).state == "failed"
    # the shell that identifies a job may end slightly before the process it waited for
    wait(lambda: not read_progress(config.cache, job.run_id).alive)
    path = published_path(config.cache, job.run_id)
    with RunReader(path) as reader:
        meta, before = reader.meta, len(reader.query("rollouts", question=0))
    again = started(continue_run(config.cache, meta))
    wait(lambda: (state := read_progress(config.cache, job.run_id)).alive and state.done > before)
    stop(again)
    assert (ended(again).run_id, again.state) == (job.run_id, "stopped"), tail(again.log)
    with RunReader(path) as reader:
        assert len(reader.query("rollouts", question=0)) > before


@pytest.mark.slow
def test_a_second_start_of_a_run_reports_that_it_is_running(tmp_path, started):
    config = quick_config(tmp_path, **ENDLESS)
    first = started(start_run(config))
    wait(lambda: first.run_id is not None)
    second = ended(started(start_run(config)))
    assert (second.state, second.exit_code) == ("failed", 1)
    assert "is being written by another process" in second.reason
    with pytest.raises(OddError, match="stop it first"):
        delete_run(config.cache, first.run_id)
    assert work_path(config.cache, first.run_id).exists()


@pytest.mark.slow
def test_a_job_outlives_its_parent_process(tmp_path, pytestconfig):
    config = quick_config(tmp_path)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    code = (
        "from pathlib import Path; from odd.config import RunConfig; from odd.pipeline.jobs import start_run; "
        f"start_run(RunConfig.model_validate_json(Path({str(tmp_path / 'config.json')!r}).read_text()))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=pytestconfig.rootpath)
    (job,) = list_jobs(config.cache)
    assert job.alive
    assert (ended(job).state, job.exit_code) == ("finished", 0)


def test_a_run_file_without_configuration_is_not_continued(tmp_path):
    for meta in ({}, {"config": "{", "questions": "[]"}, {"config": "[]", "questions": "[]"}):
        with pytest.raises(OddError):
            continue_run(tmp_path, meta)
    assert not list_jobs(tmp_path)
