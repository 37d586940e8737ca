"""Whether a response is correct: find its last `Answer:` line and compare by the question's kind."""

import re
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from odd.questions.base import Question

ANSWER_LINE = re.compile(r"^[ \t>*_#]*answer[ \t*_]*:[ \t*_]*(.*)$", re.IGNORECASE | re.MULTILINE)
# a comma separates thousands, three digits each time; "1,2" are two numbers
NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+)?|[-+]?\.\d+")
# models write the minus sign of typography too
MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})


def extract_answer(text: str) -> str | None:
    """What the last `Answer:` line says, or None where there is none or it is empty."""
    found = ANSWER_LINE.findall(text)
    return (found[-1].strip().strip("*_`").strip() or None) if found else None


def is_correct(question: "Question", answer: str | None) -> bool:
    """Whether an extracted answer equals the gold answer; no answer is wrong."""
    if answer is None:
        return False
    if question.kind == "number":
        value = parse_number(answer)
        return value is not None and value == parse_number(question.answer)
    if question.kind == "exact":
        return answer == question.answer
    word = re.match(r"[(\[]?([A-Za-z]+)\b", answer)
    return word is not None and word.group(1).lower() == question.answer.lower()


def parse_number(text: str) -> Fraction | None:
    """The single number in `text` (thousands separators, decimals, fractions), or None if there is none or several."""
    found = NUMBER.findall(text.translate(MINUS))
    if len(found) != 1:
        return None
    try:
        return Fraction(found[0].replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return None
