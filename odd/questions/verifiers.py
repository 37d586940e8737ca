r"""Whether a response is correct: find what it answers, after its thinking part, and compare by the question's kind.

| kind | an answer is right if |
|---|---|
| `yes_no`, `choice` | its first word is the gold word or letter |
| `number` | it holds one number, and that is exactly the gold one; TeX goes to math-verify |
| `expression` | math-verify takes it for equal to the gold one |
| `exact` | it is the gold text |
| `regex` | the gold pattern, of RE2's syntax, matches all of it |
| `reasoning_gym` | the scorer of the generator gives it full marks |

`number` wants the number itself, so `3+4` is not an answer to "What is 3+4?"; `expression` takes every equal form.
"""

import json
import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import re2

from odd.questions.isolated import equal_expressions, gym_score

if TYPE_CHECKING:
    from odd.questions.base import Question

ANSWER_LINE = re.compile(r"^[ \t>*_#]*answer[ \t*_]*:[ \t*_]*(.*)$", re.IGNORECASE | re.MULTILINE)
HASHES_LINE = re.compile(r"^[ \t]*####[ \t]*(.*)$", re.MULTILINE)
# a comma separates thousands, three digits each time; "1,2" are two numbers
NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+)?|[-+]?\.\d+")
# models write the minus sign of typography too
MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
# TeX that says how a number looks, not what it is
LOOKS = re.compile(
    r"\\(?:boxed|text|textbf|mathrm|mathbf|left|right|displaystyle)(?![a-zA-Z])"
    r"|\\[$%!,;: ()\[\]]|\^\s*\{?\s*\\circ\s*\}?|[{}$]"
)
TEXT = re.compile(r"\$?\\text(?:bf|rm)?\{([^{}]*)\}\$?|([A-Za-z][A-Za-z ]{2,})")
FULL_MARKS = 1.0 - 1e-9
THINKING_OPENS, THINKING_ENDS = "<think>", "</think>"


def after_thinking(text: str, inside: bool = False) -> str:
    """What a response says after its thinking part; nothing if that was never closed.

    Args:
        text: the response.
        inside: whether the prompt has opened the thinking part already, as some chat templates do.
    """
    _, ended, rest = text.rpartition(THINKING_ENDS)
    return "" if THINKING_OPENS in rest or (inside and not ended) else rest


def extract_answer(text: str, whole: bool = False) -> str | None:
    r"""What the last `Answer:` line says; where there is none, the last `\boxed{}`, else the last `####` line.

    Args:
        text: a response; its thinking part is left out.
        whole: take all that follows the mark, for answers of several lines.

    Returns:
        The answer, or None where there is none or it is empty.
    """
    text = after_thinking(text)
    said = _last(ANSWER_LINE, text, whole)
    if said is None:
        said = boxed(text)
    if said is None:
        said = _last(HASHES_LINE, text, whole)
    if said is None:
        return None
    inner = boxed(said)
    return (said if inner is None else inner).strip().strip("*_`").strip() or None


def _last(mark: re.Pattern[str], text: str, whole: bool) -> str | None:
    """What follows the last mark, on its line or to the end; None if there is none."""
    found = list(mark.finditer(text))
    if not found:
        return None
    return text[found[-1].start(1) :] if whole else found[-1][1]


def boxed(text: str) -> str | None:
    r"""What stands in the last `\boxed{}` of a text, braces inside it included; None if there is none."""
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    depth, begin = 0, start + len(r"\boxed{")
    for i in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth < 0:
            return text[begin:i]
    return None


def read_answer(question: "Question", text: str, inside: bool = False) -> str | None:
    """The answer in a response, as the kind of question wants it: some generators ask for several lines.

    Args:
        question: what was asked.
        text: the response.
        inside: whether the prompt has opened the thinking part.
    """
    several_lines = question.kind == "reasoning_gym" and ("\n" in question.answer or not question.answer)
    return extract_answer(after_thinking(text, inside), several_lines)


def is_correct(question: "Question", answer: str | None) -> bool:
    """Whether an extracted answer equals the gold answer; no answer is wrong.

    Raises:
        OddError: it takes a package that is not installed.
    """
    return answer is not None and VERIFIERS[question.kind](question, answer)


def parse_number(text: str) -> Fraction | None:
    """The single number in `text` (thousands separators, decimals, fractions), or None if there is none or several."""
    found = NUMBER.findall(text.translate(MINUS))
    if len(found) != 1:
        return None
    try:
        return Fraction(found[0].replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return None


def plain(text: str) -> str:
    r"""An answer without what only says how it looks, such as dollar signs, degrees and `\text{}`."""
    return LOOKS.sub("", text)


def is_tex(text: str) -> bool:
    """Whether an answer holds mathematics that is more than looks."""
    return any(sign in plain(text) for sign in "\\^")


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> "re2._Regexp":
    """A pattern of RE2's syntax, which matches in linear time whatever the text.

    Raises:
        ValueError: it is none; says why.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "no pattern"
        raise ValueError(f"{pattern!r} is not a regular expression in RE2's syntax ({reason})") from error


def _same_number(question: "Question", answer: str) -> bool:
    if is_tex(answer):  # to pick one number out of it would take a root for its radicand
        return equal_expressions(question.answer, answer)
    value = parse_number(plain(answer))
    return value is not None and value == parse_number(plain(question.answer))


def _same_expression(question: "Question", answer: str) -> bool:
    gold = question.answer
    if gold.split() == answer.split():
        return True
    written = plain(gold).strip(), plain(answer).strip().removesuffix(".")
    if all(NUMBER.fullmatch(text) for text in written) and None not in (values := list(map(parse_number, written))):
        return values[0] == values[1]
    if words := TEXT.fullmatch(gold.strip()):  # math-verify would multiply their letters
        return (words[1] or words[2] or "").casefold().split() == written[1].casefold().split()
    return equal_expressions(gold, answer)


def _same_word(question: "Question", answer: str) -> bool:
    word = re.match(r"[(\[]?([A-Za-z]+)\b", plain(answer).strip())
    return word is not None and word.group(1).lower() == question.answer.lower()


def _same_text(question: "Question", answer: str) -> bool:
    return answer == question.answer


def _matches(question: "Question", answer: str) -> bool:
    return compiled(question.answer).fullmatch(answer) is not None


def _full_marks(question: "Question", answer: str) -> bool:
    return gym_score(json.dumps(question.metadata), answer) >= FULL_MARKS


VERIFIERS: dict[str, Callable[["Question", str], bool]] = {
    "yes_no": _same_word,
    "choice": _same_word,
    "number": _same_number,
    "expression": _same_expression,
    "exact": _same_text,
    "regex": _matches,
    "reasoning_gym": _full_marks,
}
