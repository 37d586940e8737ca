"""How commands report progress where there is no terminal, and how they end on Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from odd.cli.console import Lines, print_json
from odd.pipeline.progress import Progress
from odd.pipeline.stages import Stage
from scripts.rooms import ROOT
from tests.runs import quick_config, quick_screening_config


def step(stage=Stage.INITIAL, question=0, done=1, total=4):
    return Progress(
        run_id="a-1", stage=stage, question=question, questions=2, done=done, total=total, tokens=30, seconds=2
    )


def lines_of(capsys, steps, silence=60.0, pause=0.0):
    with Lines(silence) as lines:
        for one in steps:
            lines(one)
        time.sleep(pause)
    return capsys.readouterr().err.splitlines()


def test_a_stage_of_a_question_is_one_line(capsys):
    steps = [step(done=done) for done in range(1, 5)] + [step(Stage.PLAN, done=4), step(question=1, done=4)]
    told = lines_of(capsys, steps)
    assert [line.split(" ", 1)[1] for line in told] == [
        "a-1: question 1 of 2, initial rollouts: 4 of 4, 15 tokens/s",
        "a-1: question 1 of 2, teachers score the paths: 4 of 4, 15 tokens/s",
        "a-1: question 2 of 2, initial rollouts: 4 of 4, 15 tokens/s",
    ]


def test_a_stage_that_ends_early_is_told_when_the_next_begins(capsys):
    told = lines_of(capsys, [step(done=2), step(Stage.PLAN, done=4)])
    assert "initial rollouts: 2 of 4" in told[0] and "teachers score the paths" in told[1]


def test_the_last_step_is_told_at_the_end(capsys):
    assert "2 of 4" in lines_of(capsys, [step(done=2)])[-1]


def test_silence_is_broken(capsys):
    told = lines_of(capsys, [step(done=2)], silence=0.05, pause=0.4)
    assert len(told) >= 3 and len({line.split(" ", 1)[1] for line in told}) == 1


def test_json_lines_hold_every_step(capsys):
    for done in (1, 4):
        print_json(step(done=done))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["stage"], one["done"]) for one in told] == [("initial", 1), ("initial", 4)]


def start(command, *arguments, cwd):
    """Start a command with the settings of a quick run."""
    configure = quick_screening_config if command == "screen" else quick_config
    (cwd / "config.json").write_text(configure(cwd).model_dump_json())
    command = [sys.executable, "-m", "odd", command, "--config", "config.json", *map(str, arguments)]
    path = os.pathsep.join((str(ROOT / "tests" / "processes"), str(ROOT)))
    environment = {"PYTHONPATH": path, "PATH": "", "HOME": str(cwd), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_run_without_a_terminal_reports_each_stage_in_plain_text(tmp_path):
    process = start("run", "--limit", 1, cwd=tmp_path)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0
    assert "question 1 of 1, initial rollouts: 48 of 48" in err and "question 1 of 1, gradients and scores" in err
    assert not {"\x1b", "\r", "━"} & set(err + out)


@pytest.mark.slow
def test_a_run_for_a_program_prints_only_json(tmp_path):
    process = start("run", "--limit", 1, "--json", cwd=tmp_path)
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "")
    told = [json.loads(line) for line in out.splitlines()]
    assert told[0]["stage"] == "initial" and (tmp_path / told[-1]["file"]).stem == told[-1]["run"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "screen"])
def test_ctrl_c_ends_with_130_and_one_line(tmp_path, command):
    process = start(command, "--json", "--set", "sampling.initial_rollouts=50000", cwd=tmp_path)
    try:
        assert process.stdout is not None and process.stdout.readline()  # work has begun
        threading.Timer(0.5, process.send_signal, [signal.SIGINT]).start()
        _, err = process.communicate(timeout=100)
    finally:
        process.kill()
    assert (process.returncode, err.count("\n")) == (130, 1)
    assert err.startswith("stopped; finished work is kept")
