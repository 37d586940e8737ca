"""Commands answer to impossible run files in one line, or with what is left of them."""

import os
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli import odd
from tests.impossible import CASES, OPENING, POSSIBLE, THOROUGH, change

FILES = [*THOROUGH, *POSSIBLE, *list(OPENING)[::6]]
COMMANDS = (
    ("show",),
    ("findings",),
    ("weights", "--teacher", "Self-1C", "--rollouts", "initial"),
    ("add-teacher", "--quiet", "--teacher", "New=student:1c"),
)


@pytest.fixture
def spoilt(quick, tmp_path):
    return lambda case: change(Path(shutil.copy(quick[1], tmp_path)), CASES[case])


@pytest.mark.parametrize("number, case", list(enumerate(FILES)), ids=str)
def test_a_command_reads_an_impossible_file_or_refuses_it_in_one_line(spoilt, tmp_path, number, case):
    run = spoilt(case)
    command, *options = COMMANDS[number % len(COMMANDS)]
    out = ("--out", tmp_path / "out") if command == "weights" else ()
    done = odd(command, run, *options, *out)
    assert done.returncode in (0, 1)
    if done.returncode:
        assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    if case in OPENING:
        assert "has impossible content" in done.stderr


@pytest.mark.parametrize("case", [*list(OPENING)[::10], *list(THOROUGH)[::4]])
def test_check_names_what_is_impossible(spoilt, case):
    run = spoilt(case)
    done = odd("check-run", run)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {run} has impossible content (")


def test_check_says_that_a_sound_run_is_sound(quick):
    done = odd("check-run", quick[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"run {quick[1].stem} is sound: 3 questions, status finished\n"


def test_a_command_does_not_wait_for_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "a-00000000.duckdb")
    done = odd("show", tmp_path / "a-00000000.duckdb")
    assert done.returncode == 1
    assert "is not a regular file" in done.stderr
