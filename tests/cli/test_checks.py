"""`odd check` prints what the checks find, and exits with 1 if there is an error."""

import json

import pytest
from typer.testing import CliRunner

from odd.cli import app
from tests.runs import quick_config


@pytest.fixture
def check(tmp_path):
    def run(*options, **changes):
        (tmp_path / "config.json").write_text(quick_config(tmp_path, **changes).model_dump_json(exclude={"cache"}))
        return CliRunner().invoke(app, ["check", "--config", str(tmp_path / "config.json"), *options])

    return run


def test_findings_are_lines_with_a_verdict_followed_by_prompts_side_by_side(check):
    done = check()
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and lines[0].startswith("ok      questions: 3 questions")
    assert any(line.startswith("warning ") for line in lines)
    (row,) = [line for line in lines if "Worked examples" in line and "Self-1C1W" not in line][:1]
    assert "≠" in row


def test_quiet_prints_the_lines_only(check):
    assert all(line.startswith(("ok ", "warning ")) for line in check("--quiet").stdout.splitlines())


def test_json_is_an_object_per_finding(check):
    found = [json.loads(line) for line in check("--json").stdout.splitlines()]
    assert {"check", "verdict", "text", "remedy", "shown"} == found[0].keys()


def test_an_error_gives_exit_status_1(check):
    done = check(teachers=[{"name": "t", "model": {"name": "no-such-folder"}}])
    assert done.exit_code == 1 and "error   vocabulary of t" in done.stdout
    assert "ok      rollouts" in done.stdout


def test_nothing_is_written(check, tmp_path):
    check()
    assert not list(tmp_path.rglob("*.duckdb"))
