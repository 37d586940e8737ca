"""A read-only dashboard: every function that changes something refuses."""

import ast
import io
import logging
from pathlib import Path

import pytest

import odd.pipeline.jobs
import odd.store
from odd.access import READ_ONLY
from odd.config import load_config
from odd.errors import OddError
from odd.pipeline import jobs
from odd.pipeline.jobs import Job
from odd.store import accept_run

PAGES = Path(__file__).parents[2] / "pages"
READING = {"Job", "list_jobs", "read_job", "read_progress", "tail", "time_left", "last_line", "read_all_progress"}
"""Names in odd.pipeline.jobs that change nothing."""


def calls(cache):
    """Calls of all functions that change something, by name."""
    job = Job(cache / "jobs" / "a", "run", "title", 0.0, None)
    config = load_config("demo").model_copy(update={"cache": cache})
    return {
        "start_run": lambda: jobs.start_run(config),
        "continue_run": lambda: jobs.continue_run(cache, {"run_id": "a"}),
        "start_adding_teachers": lambda: jobs.start_adding_teachers(cache, "a", []),
        "resume": lambda: jobs.resume(job, cache),
        "stop": lambda: jobs.stop(job),
        "remove_job": lambda: jobs.remove_job(job),
        "delete_run": lambda: jobs.delete_run(cache, "a"),
        "keep_questions": lambda: jobs.keep_questions(cache, "a.jsonl", b"{}"),
        "check_run": lambda: jobs.check_run(config),
        "check_servers": lambda: jobs.check_servers(config.student, cache),
        "accept_run": lambda: accept_run(cache, io.BytesIO(b""), "a.duckdb", 9),
    }


@pytest.mark.parametrize("name", calls(Path()))
def test_a_change_is_refused_in_one_line(monkeypatch, tmp_path, name):
    monkeypatch.setenv(READ_ONLY, "1")
    with pytest.raises(OddError, match=f"read-only, so it does not {name.replace('_', ' ')}: ask"):
        calls(tmp_path)[name]()
    assert not list(tmp_path.iterdir())


def test_whatever_pages_import_of_jobs_reads_or_is_guarded():
    names = {**vars(odd.pipeline.jobs), **vars(odd.store)}
    assert set(calls(Path())) == {name for name, value in names.items() if hasattr(value, "changes_cache")}
    assert imported("odd.pipeline.jobs") <= READING | set(calls(Path()))


@pytest.mark.parametrize(
    "module", ["store.removal", "store.writer", "store.upload", "store.upgrade", "pipeline.worker"]
)
def test_pages_reach_changes_only_by_the_guarded_functions(module):
    assert not imported(f"odd.{module}")
    assert not {"remove_run", "RunWriter", "upgrade_run"} & imported("odd.store")


def test_a_change_is_logged_with_its_object(caplog, tmp_path):
    with caplog.at_level(logging.INFO, "odd.access"), pytest.raises(OddError):
        accept_run(tmp_path, io.BytesIO(b"no run"), "strange\n.duckdb", 9)
    assert [record.getMessage() for record in caplog.records] == [r"accept_run 'strange\n.duckdb'"]


def imported(module):
    """Names that pages import from a module."""
    found = set()
    for file in PAGES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == module:
                found |= {alias.name for alias in node.names}
    return found
