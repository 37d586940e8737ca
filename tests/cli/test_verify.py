"""`odd verify` judges responses of a file, one line for each, in order."""

import json

import pytest

from odd.cli import checking
from odd.errors import OddError

ROWS = [
    {"kind": "number", "answer": "7", "response": "Answer: 7 apples", "reward": 1.0},
    {"kind": "number", "answer": "7", "response": "Answer: √7", "reward": 1},
    {"kind": "number", "answer": "√7", "response": "Answer: √7", "reward": 1},
    {"kind": "choice", "answer": "B", "choices": ["iron", "cork"], "response": "It floats.", "reward": 0},
    {"kind": "number", "answer": "7", "response": "Answer: 7", "inside_thinking": True, "reward": 0},
    {"kind": "number", "answer": "7", "fault": "no response"},
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "responses.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


def test_each_row_gets_its_verdict_in_order(file, capsys):
    checking.verify(file)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["correct"] for one in found] == [True, False, False, False, False, False]
    assert [one["answer"] for one in found] == ["7 apples", "√7", None, None, None, None]
    assert ["error" in one for one in found] == [False, False, True, False, False, True]
    assert "must be one number" in found[2]["error"] and "no response" in found[5]["error"]


def test_disagreements_with_rewards_are_shown_and_counted(file, capsys):
    checking.verify(file, compare="reward")
    *disagreements, summary = capsys.readouterr().out.splitlines()
    assert summary == "3 of 5 verdicts agree with reward (60.0%)"
    assert len(disagreements) == 2 and "line 2: wrong, reward 1: answer '√7', gold '7'" in disagreements[0]


def test_a_column_without_numbers_is_refused(file):
    with pytest.raises(OddError, match="no row has a number in 'score'"):
        checking.verify(file, compare="score")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OddError, match="No such file or directory; give a JSON Lines file"):
        checking.verify(tmp_path / "none.jsonl")
