"""The last answer line decides, and equal answers are equal however they are written."""

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odd.questions.answers import extract_answer
from odd.questions.base import Question
from odd.questions.numbers import read_number
from odd.questions.verifiers import is_correct

GOLD = {
    "number": Question(id="n", question="?", answer="7", kind="number"),
    "yes_no": Question(id="y", question="?", answer="yes", kind="yes_no"),
    "choice": Question(id="c", question="?", answer="B", kind="choice", choices=("2+2", "4+18", "3")),
    "exact": Question(id="e", question="?", answer="x-1", kind="exact"),
}


def judged(kind, text):
    return is_correct(GOLD[kind], extract_answer(text))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3+4=7\nAnswer: 7", "7"),
        ("Answer: 6\nNo, wait.\nAnswer: 7", "7"),
        ("Answer: 6\nAnswer:", None),
        ("answer:7", "7"),
        ("ANSWER : 7", "7"),
        ("**Answer:** 7", "7"),
        ("**Answer: 7**", "7"),
        ("**Answer**: `7`", "7"),
        ("# Answer: 7", "7"),
        ("> Answer: 7  \r\n", "7"),
        ("Answer: **B) 4+18**", "B) 4+18"),
        ("The answer is 7", None),
        ("My answer: 7", None),
        ("Answers: 7", None),
        ("Answer:\n7", None),
        ("Answer: **", None),
        ("", None),
    ],
)
def test_the_last_answer_line_is_found(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-7", -7),
        ("+7", 7),
        ("\N{MINUS SIGN}7", -7),
        ("\N{EN DASH}7", -7),
        ("7.", 7),
        ("7.50", Fraction(15, 2)),
        (".5", Fraction(1, 2)),
        ("-0.25", Fraction(-1, 4)),
        ("6/4", Fraction(3, 2)),
        ("1,234", 1234),
        ("-12,345,678.5", Fraction(-24691357, 2)),
        ("7 apples", 7),
        ("$7", 7),
        (r"\boxed{7}", 7),
        ("007", 7),
    ],
)
def test_numbers_are_read_however_they_are_written(text, value):
    assert read_number(text) == value


@pytest.mark.parametrize(
    "text", ["", "seven", "7 or 8", "3+4", "1,2", "3,50", "12,34,567", "1,2345", "1/0", "1.5/2", "1e3", "9" * 5000]
)
def test_none_or_several_numbers_are_not_a_number(text):
    assert read_number(text) is None


@given(st.integers(-(10**12), 10**12))
def test_a_number_equals_itself_with_thousands_separators(value):
    assert read_number(f"{value:,}") == read_number(str(value)) == value


@pytest.mark.parametrize(
    ("kind", "answer", "correct"),
    [
        ("number", "7 apples", True),
        ("number", "7.0", True),
        ("number", "14/2", True),
        ("number", "7 or 8", False),
        ("number", "-7", False),
        ("number", "\N{MINUS SIGN}7", False),
        ("number", "70", False),
        ("yes_no", "yes.", True),
        ("yes_no", "**Yes**, it is", True),
        ("yes_no", "YES", True),
        ("yes_no", "no", False),
        ("yes_no", "yesterday", False),
        ("yes_no", "not yes", False),
        ("choice", "(B)", True),
        ("choice", "[b]", True),
        ("choice", "B) 4+18", True),
        ("choice", "B.", True),
        ("choice", "A", False),
        ("choice", "Both", False),
        ("choice", "4+18", False),
        ("exact", "x-1", True),
        ("exact", "X-1", False),
        ("exact", "x-1.", False),
    ],
)
def test_an_answer_is_judged_by_the_kind_of_question(kind, answer, correct):
    assert judged(kind, f"Some steps.\nAnswer: {answer}") is correct


@pytest.mark.parametrize("kind", GOLD)
def test_no_answer_is_wrong(kind):
    assert not judged(kind, "I do not know.") and not judged(kind, "Answer:  ")


@pytest.mark.parametrize("kind", GOLD)
@settings(deadline=None)
@given(text=st.text() | st.from_regex(r"Answer: [-+(\[*.,/0-9A-Za-z ]*"))
def test_any_text_can_be_judged(kind, text):
    assert judged(kind, text) in (True, False)
    assert is_correct(GOLD[kind], text) in (True, False)


@pytest.mark.parametrize(
    ("kind", "answer"), [("number", "seven"), ("number", "7 or 8"), ("exact", "two\nlines"), ("exact", " *x* ")]
)
def test_a_gold_answer_that_no_response_can_give_is_refused(kind, answer):
    with pytest.raises(ValueError, match=f"answer of this {kind} question"):
        Question(id="a", question="?", answer=answer, kind=kind)


MEGABYTE = 1_000_000
REPEATED = ["^ ", "^{ ", " ", "^", "answer ", "answer:", "Answer: ^", "\\boxed{", "}", "#### ", "1,", "1", ",111", "1/",
"\\text{", "\\circ", "<think>", "</think>", "\n", "\n>", "*", "-", "$", "\\(", "é", "\x1b[", ":"]  # fmt: skip


@pytest.mark.parametrize("kind", GOLD)
@pytest.mark.parametrize("part", REPEATED)
def test_a_megabyte_is_judged_in_linear_time(kind, part):
    for text in (part * (MEGABYTE // len(part)), f"Answer: {part[0]}" + part[1:] * (MEGABYTE // max(1, len(part) - 1))):
        began = time.process_time()
        judged(kind, text)
        is_correct(GOLD[kind], text)
        assert time.process_time() - began < 2
