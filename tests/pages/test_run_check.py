"""The form that starts a run can check it first."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from odd.errors import OddError
from odd.pipeline.checks.finding import Finding
from odd.pipeline.jobs import check_run
from pages.parts import run_check
from tests.runs import quick_config

HOSTILE = "<b>x</b> $a$ [l](u) \x1b[2J"
FOUND = [
    Finding("prompt", "ok", f"33 tokens {HOSTILE}", shown=(("student", HOSTILE),)),
    Finding("prompt of t", "warning", "4 lines", "look at it", (("student", "a"), ("t", "b"))),
    Finding("window", "error", "too long", "shorten it"),
]


@pytest.fixture(autouse=True)
def processes_know_the_fake_engine(monkeypatch):
    folder = Path(__file__).parents[1] / "processes"
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{folder.parents[1]}")


def shown(monkeypatch, check):
    monkeypatch.setattr(run_check, "check_run", check)

    def script():
        from odd.config import PRESETS
        from pages.parts.run_check import show_checks

        show_checks(PRESETS["demo"])

    app = AppTest.from_function(script, default_timeout=60).run()
    assert not app.exception
    return app


def test_findings_and_texts_are_shown(monkeypatch):
    app = shown(monkeypatch, lambda config: iter(FOUND))
    assert app.status[0].label == "3 checks: 1 error, 1 warning" and app.status[0].state == "error"
    assert [code.value for code in app.code][1:] == ["a", "b"]
    assert "shorten it" in app.markdown[2].value


def test_text_of_a_model_is_text(monkeypatch):
    app = shown(monkeypatch, lambda config: iter(FOUND))
    assert "<b>" not in app.markdown[0].value and "\x1b" not in app.markdown[0].value + app.code[0].value


def test_checks_that_fail_say_why(monkeypatch):
    def failing(config):
        yield FOUND[0]
        raise OddError("the process was killed")

    assert "the process was killed" in shown(monkeypatch, failing).error[0].value


def test_the_checks_run_in_a_process(tmp_path):
    found = {finding.check: finding for finding in check_run(quick_config(tmp_path))}
    assert {"prompt", "rollouts", "lag of other", "time"} <= found.keys()
    assert found["prompt of Self-1C"].shown[1][0] == "Self-1C"


def test_an_error_that_a_check_finds_is_a_finding(tmp_path):
    *_, finding = check_run(quick_config(tmp_path, student={"name": "x", "engine": "fax"}))
    assert finding.verdict == "error" and "fax" in finding.text


def test_a_process_that_fails_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text("import os, sys; sys.stderr.write('error: no memory\\n'); os._exit(3)")
    with pytest.raises(OddError, match=r"^no memory$"):
        list(check_run(quick_config(tmp_path)))
