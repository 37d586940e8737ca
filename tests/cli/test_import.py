"""The examples of docs/import.md are commands that read the logs that they name."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from odd.cli import app
from odd.config import ImportConfig, parse_config
from odd.method.objectives import objective
from odd.pipeline.cost import reading_of_a_run
from odd.rollouts.log_records import read_records
from scripts.rooms import ROOT

TEXT = (ROOT / "docs" / "import.md").read_text()
COMMANDS = [shlex.split(command) for command in re.findall(r"^    odd (import docs/.*)$", TEXT, re.MULTILINE)]


def settings(*arguments):
    done = CliRunner().invoke(app, [*arguments, "--show-config"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_example_of_the_documentation_is_a_command(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    found = settings(*command)
    assert len(read_records(ImportConfig(files=tuple(found["imported"]["files"])))) == 32
    assert found["questions"]["source"] == ("log" if "verl" in command[1] else "tiny-demo")


def test_there_are_examples():
    assert {Path(command[1]).name for command in COMMANDS} == {"rollouts-verl.jsonl", "rollouts-trl.parquet"}


@pytest.mark.parametrize(
    ("options", "source"),
    [((), "tiny-demo"), (("--kind", "number"), "log"), (("--questions", "general-number"), "general-number")],
)
def test_a_log_without_gold_answers_is_asked_only_with_a_kind(tmp_path, options, source):
    (tmp_path / "log.jsonl").write_text('{"prompt": "1+1?", "response": "Answer: 2", "reward": 1}\n')
    assert settings("import", str(tmp_path / "log.jsonl"), *options)["questions"]["source"] == source


def test_a_question_file_goes_before_the_gold_answers_of_a_log():
    log = str(ROOT / "docs" / "examples" / "rollouts-verl.jsonl")
    assert settings("import", log, "--questions", "tiny-demo")["questions"]["source"] == "tiny-demo"


def test_the_cost_of_minillm_is_not_told_before_the_log_gives_the_questions():
    analysis = {"objectives": [objective("minillm").model_dump(mode="json")]}
    for source, is_told in (("log", False), ("tiny-demo", True)):
        config = parse_config({"imported": {"files": ["a"]}, "questions": {"source": source}, "analysis": analysis})
        assert (reading_of_a_run(config) is not None) == is_told
