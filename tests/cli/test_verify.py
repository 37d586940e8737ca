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


QUESTIONS = [
    {"id": "sum", "question": "What is 9-7?", "answer": 2, "kind": "number"},
    {"id": "float", "question": "Which floats?", "choices": ["iron", "cork"], "answer": "B", "kind": "choice"},
]
PROMPT = "user\nWhat is 9-7?\nThink.\nassistant\n"
LOGS = {
    "verl": [
        {"input": PROMPT, "output": "Answer: 2", "gts": "2", "score": 1.0, "step": 20},
        {"input": PROMPT, "output": "Answer: 3", "gts": "2", "score": 1.0, "step": 40},
        {"input": "What else?", "output": "Answer: 2", "gts": "2", "score": 0.0, "step": 20},
        {"input": f"{PROMPT}<think>\n", "output": "Answer: 2", "gts": "2", "score": 0.0, "step": 20},
    ],
    "TRL": [
        {"step": 1, "prompt": [{"role": "user", "content": "Which floats?\nA) iron\nB) cork"}],
         "completion": [{"role": "assistant", "content": "Answer: B"}], "accuracy_reward": 1.0},
    ],
    "ODD": [
        {"question": "float", "response": "Answer: cork", "reward": 0.0},
        {"question": "float", "response": "Answer: B", "reward": 1.0},
        {"question": "sum", "response": "Answer: 2", "reward": 0.0, "truncated": True},
        {"question": "none", "response": "Answer: 2", "reward": 0.0},
        {"question": "sum", "token_ids": [1, 2], "reward": 0.0},
    ],
}  # fmt: skip
FOUND = {
    "verl": [(True, "2"), (False, "3"), (False, "contains the text of no question"), (False, None)],
    "TRL": [(True, "B")],
    "ODD": [(False, "cork"), (True, "B"), (False, None), (False, "no question has this id"), (False, "it has no text")],
}


@pytest.fixture
def logged(tmp_path):
    (tmp_path / "questions.jsonl").write_text("\n".join(map(json.dumps, QUESTIONS)))

    def write(form):
        (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, LOGS[form])))
        return tmp_path / "log.jsonl", str(tmp_path / "questions.jsonl")

    return write


@pytest.mark.parametrize("form", LOGS)
def test_responses_of_a_log_are_judged_by_a_question_file(logged, capsys, form):
    checking.verify(*logged(form))
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == len(LOGS[form])
    for one, (correct, said) in zip(found, FOUND[form], strict=True):
        assert one["correct"] is correct
        assert said in one["error"] if "error" in one else one["answer"] == said


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("verl", [(True, "2"), (False, "3"), (True, "2"), (False, None)]),
        ("TRL", [(False, "it has no gold answer: give the questions")]),
    ],
)
def test_responses_of_a_log_are_judged_by_its_own_gold_answers(logged, capsys, form, wanted):
    checking.verify(logged(form)[0], "log")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one, (correct, said) in zip(found, wanted, strict=True):
        assert one["correct"] is correct
        assert said in one["error"] if "error" in one else one["answer"] == said


def test_verdicts_on_a_log_are_compared_with_its_rewards(logged, capsys):
    checking.verify(*logged("verl"), compare="score")
    *disagreements, summary = capsys.readouterr().out.splitlines()
    assert summary == "3 of 4 verdicts agree with score (75.0%)"
    assert len(disagreements) == 1 and "line 2: wrong, score 1: answer '3', gold '2'" in disagreements[0]


@pytest.mark.parametrize(
    ("response", "inside", "answer"),
    [
        ("<reason>Answer: 3</reason>Answer: 7", False, "7"),
        ("<reason>Answer: 7", False, None),
        ("Answer: 7", True, None),
        ("Answer: 3</reason>Answer: 7", True, "7"),
        ("<think>Answer: 7", False, None),
        ("Answer: 7", False, "7"),
    ],
)
def test_thinking_marks_can_be_named(tmp_path, capsys, response, inside, answer):
    file = tmp_path / "responses.jsonl"
    file.write_text(json.dumps({"kind": "number", "answer": "7", "response": response}))
    checking.verify(file, thinking_marks=("<reason>", "</reason>"), inside_thinking=inside)
    assert json.loads(capsys.readouterr().out)["answer"] == answer


@pytest.mark.parametrize("marks", [("<reason>", "<reason>"), ("<reason>", ""), (" ", "</reason>")])
def test_thinking_marks_are_two_texts(file, marks):
    with pytest.raises(OddError, match="thinking_marks"):
        checking.verify(file, thinking_marks=marks)


def test_a_column_without_numbers_is_refused(file):
    with pytest.raises(OddError, match="no row has a number in 'score'"):
        checking.verify(file, compare="score")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OddError, match="No such file or directory; give a JSON Lines file"):
        checking.verify(tmp_path / "none.jsonl")
