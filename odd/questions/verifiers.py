r"""Verifiers: extract the answer after the thinking part and compare it with the gold answer by the question's kind.

| kind | an answer is correct if |
|---|---|
| `yes_no`, `choice` | it names the gold word or letter, and no other |
| `number` | it states the gold number exactly; TeX goes to math-verify |
| `expression` | math-verify considers it equal to the gold answer |
| `exact` | it is the gold text |
| `regex` | the gold pattern, in RE2 syntax, matches all of it |
| `reasoning_gym` | the scorer of the generator gives it full marks |

`number` requires the number itself, so `3+4` does not answer "What is 3+4?"; `expression` accepts every equal form.
"""

import json
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import re2

from odd.questions.answers import extract_answer
from odd.questions.isolated import LONGEST_EXPRESSION, equal_expressions, gym_score
from odd.questions.mathematics import RAISED, has_names, is_complete, numeral, to_tex, without_unit
from odd.questions.numbers import is_bare_number, read_number, read_scientific
from odd.questions.options import named_letter, said_yes_or_no
from odd.questions.thinking import Marks
from odd.text import is_unicode

if TYPE_CHECKING:
    from odd.questions.base import Question

# TeX that affects the look of a number, not its value; possessive, as model output may repeat any of it a million times
LOOKS = re.compile(
    r"\\(?:boxed|text|textbf|mathrm|mathbf|left|right|displaystyle)(?![a-zA-Z])"
    r"|\\[$%!,;: ()\[\]]|\^\s*+\{?+\s*+\\circ\s*+\}?|[{}$]"
)
UNSEEN = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"))
"""Characters without width."""
FRACTION = re.compile(r"(\d?)\\[dtc]?frac\s*(?:\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}|(\d)\s*(\d))(?=(\d?))", re.ASCII)
"""A fraction of whole numbers, with the digits beside it."""
SET = re.compile(r"\$?\s{0,9}(?:\\left)?\\\{")
TUPLE = re.compile(r"\$?\s{0,9}(?:\\left)?\s{0,9}[(\[]")
TEXT = re.compile(
    r"\$?\\(?:text|textbf|textrm|mathrm|mathbf)\{\(?([^{}()]*)\)?\}\$?"
    r"|\$?\(?([A-Za-z])\)?\$?\.?|([A-Za-z][A-Za-z ]{2,})"
)
"""Words, or a single letter, perhaps in brackets."""
FULL_MARKS = 1.0 - 1e-9


def read_answer(question: "Question", text: str, inside: bool = False, marks: Marks | None = None) -> str | None:
    """Extract the answer from a response; some generators expect answers of several lines.

    Args:
        question: the question of the response.
        text: the response.
        inside: whether the prompt has already opened the thinking part.
        marks: marks of a thinking part beside the usual ones.
    """
    several_lines = question.kind == "reasoning_gym" and ("\n" in question.answer or not question.answer)
    return extract_answer(text, several_lines, inside, marks)


def is_correct(question: "Question", answer: str | None) -> bool:
    """Whether an extracted answer equals the gold answer; no answer is wrong, and so is invalid Unicode.

    Raises:
        OddError: the verifier needs a package that is not installed.
    """
    return answer is not None and is_unicode(answer) and VERIFIERS[question.kind](question, answer)


def plain(text: str) -> str:
    r"""Strip formatting from an answer, such as dollar signs, degrees and `\text{}`."""
    return LOOKS.sub("", text.translate(UNSEEN))


def is_tex(text: str) -> bool:
    """Whether an answer contains TeX other than formatting, or roots and raised digits in Unicode."""
    return any(sign in plain(text) for sign in "\\^√") or RAISED.search(text) is not None


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> "re2._Regexp":
    """Compile a pattern in RE2 syntax, which matches any text in linear time.

    Raises:
        ValueError: the pattern is invalid; the message gives the reason.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "invalid pattern"
        raise ValueError(f"{pattern!r} is not a regular expression in RE2's syntax ({reason})") from error


def _value(text: str) -> Fraction | None:
    """Return the number that an answer states, perhaps as a fraction in TeX or with a power of ten."""
    text = plain(FRACTION.sub(_slashed, text))
    value = read_number(text)
    return read_scientific(text) if value is None else value


def _slashed(found: re.Match[str]) -> str:
    before, above, below, first, second, after = found.groups()
    return f"{before} {above or first}/{below or second}".lstrip(" ") + (" " if after else "")


def _is_number(text: str) -> bool:
    """Whether a text is a number and nothing else."""
    return is_bare_number(plain(FRACTION.sub(_slashed, text)).strip())


def _same_number(question: "Question", answer: str) -> bool:
    value = _value(answer)
    if value is None and is_tex(answer):
        return _same_mathematics(question.answer, answer)
    return value is not None and value == _value(question.answer)


def _same_expression(question: "Question", answer: str) -> bool:
    same = _same_as_written(question.answer, answer)
    return _same_mathematics(question.answer, answer) if same is None else same


def _same_as_written(gold: str, answer: str) -> bool | None:
    """Whether two numbers, numerals with a base, or words are the same; None if they are other mathematics."""
    if gold.split() == answer.split():
        return True
    if words := _words(gold):  # math-verify would read a word as a product of letters
        return words == (_words(answer) or _words(plain(answer).removesuffix(".")))
    if numerals := numeral(gold):
        return numerals == numeral(answer)
    if _is_number(gold) and "%" not in gold + answer:
        value, wanted = _value(answer), _value(gold)
        if value is None or wanted is None:
            return None
        # a fraction such as 1/3 equals a decimal only to some places
        return True if value == wanted else (None if "." in answer and not _ends(wanted) else False)
    return None


def _ends(value: Fraction) -> bool:
    """Whether a number has finitely many decimals."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _words(text: str) -> list[str] | None:
    r"""Return the words of a text that is no mathematics, such as `\text{(C)}` or `red`; None for others."""
    found = TEXT.fullmatch(text.strip())
    return next(part for part in found.groups() if part is not None).casefold().split() if found else None


def _same_mathematics(gold: str, answer: str) -> bool:
    if len(answer) > LONGEST_EXPRESSION:
        return False
    if any(SET.match(one) and TUPLE.match(other) for one, other in ((gold, answer), (answer, gold))):
        return False  # math-verify takes a set of two for an interval
    read = [to_tex(gold), to_tex(answer if has_names(gold) else without_unit(answer))]
    return all(map(is_complete, read)) and equal_expressions(*read)


def judged_gold(question: "Question") -> str | None:
    """Return the gold answer as math-verify will read it; None if it needs no math-verify."""
    gold = question.answer
    simple = question.kind != "expression" or _words(gold) or numeral(gold) or _is_number(gold)
    return None if simple else to_tex(gold)


def _same_letter(question: "Question", answer: str) -> bool:
    return named_letter(plain(answer), question.choices) == question.answer.upper()


def _same_word(question: "Question", answer: str) -> bool:
    return said_yes_or_no(plain(answer)) == question.answer.lower()


def _same_text(question: "Question", answer: str) -> bool:
    return answer == question.answer


def _matches(question: "Question", answer: str) -> bool:
    return compiled(question.answer).fullmatch(answer) is not None


def _full_marks(question: "Question", answer: str) -> bool:
    return gym_score(json.dumps(question.metadata), answer) >= FULL_MARKS


VERIFIERS: dict[str, Callable[["Question", str], bool]] = {
    "yes_no": _same_word,
    "choice": _same_letter,
    "number": _same_number,
    "expression": _same_expression,
    "exact": _same_text,
    "regex": _matches,
    "reasoning_gym": _full_marks,
}
