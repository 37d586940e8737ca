"""Responses as models write them, with the verdict that each must get; see `responses.jsonl`."""

import json
from pathlib import Path

import pytest

from odd.questions.base import Question
from odd.questions.thinking import after_thinking
from odd.questions.verifiers import is_correct, read_answer

RESPONSES = [json.loads(line) for line in Path(__file__).with_name("responses.jsonl").read_text("utf-8").splitlines()]
MORE = [
    {"kind": "expression", "answer": r"\frac{1}{3}", "response": "Answer: 1/3", "correct": True},
    {"kind": "expression", "answer": "(1,2)", "response": "Answer: [1,2]", "correct": False},
    {"kind": "expression", "answer": "[1,2)", "response": "Answer: [1,2)", "correct": True},
    {"kind": "expression", "answer": "[1,2)", "response": "Answer: (1,2]", "correct": False},
    {"kind": "expression", "answer": "2^{10}", "response": "Answer: 2^10", "correct": True},
    {"kind": "expression", "answer": r"\sqrt{3}", "response": "Answer: sqrt(3)", "correct": True},
    {"kind": "expression", "answer": r"3\pi", "response": "Answer: 3π", "correct": True},
    {"kind": "expression", "answer": "10^{-34}", "response": "Answer: 10^{-35}", "correct": False},
    {"kind": "expression", "answer": r"\frac{1}{3}", "response": "Answer: 0.3", "correct": False},
    {"kind": "expression", "answer": "50\\%", "response": "Answer: 1/2", "correct": True},
    {"kind": "expression", "answer": "4", "response": "Answer: 4-", "correct": False},
    {"kind": "expression", "answer": "A7_{16}", "response": "Answer: a7_16", "correct": True},
    {"kind": "expression", "answer": "x+1", "response": "Answer: 1+x", "correct": True},
    {"kind": "expression", "answer": "red", "response": r"Answer: \text{Red}", "correct": True},
    {"kind": "number", "answer": "8", "response": "Answer: 2^3", "correct": True},
    {"kind": "number", "answer": "7", "response": "**Answer**\n\nAnswer:\n\\boxed{7}", "correct": True},
    {"kind": "number", "answer": "7", "response": "<think>Answer: 6</think>Answer: 7", "correct": True},
    {"kind": "number", "answer": "6", "response": "[THINK]Answer: 6[/THINK]Answer: 7", "correct": False},
    {"kind": "number", "answer": "6", "response": "[THINK]Answer: 6", "correct": False},
    {"kind": "number", "answer": "6", "response": "<|channel|>analysis<|message|>Answer: 6", "correct": False},
    {"kind": "number", "answer": "6", "response": "analysisAnswer: 6", "correct": False},
]


@pytest.mark.parametrize(
    "one", RESPONSES + MORE, ids=lambda one: f"{one['kind']}-{one['answer']}-{one['response']}"[:60]
)
def test_a_response_gets_its_verdict(one):
    try:
        question = Question(
            id="q", question="?", answer=one["answer"], kind=one["kind"], choices=one.get("choices", ())
        )
    except ValueError:  # a gold answer that is refused makes every response wrong
        assert not one["correct"]
        return
    answer = read_answer(question, one["response"])
    assert is_correct(question, answer) is one["correct"]
    if "extracted" in one:
        assert answer == one["extracted"]


@pytest.mark.parametrize("text", ["analysis of it", "analysis: 7", "Analysis", "analysisfinal"])
def test_an_ordinary_word_opens_no_channel(text):
    assert after_thinking(text) == text
