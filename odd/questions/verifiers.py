r"""Verifiers: extract the answer after the thinking part and compare it with the gold answer by the question's kind.

| kind | an answer is correct if |
|---|---|
| `yes_no`, `choice` | its first word is the gold word or letter |
| `number` | it contains one number, which equals the gold number exactly; TeX goes to math-verify |
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

from odd.questions.isolated import equal_expressions, gym_score
from odd.text import is_unicode

if TYPE_CHECKING:
    from odd.questions.base import Question

ANSWER_LINE = re.compile(r"^[ \t>*_#]*answer[ \t*_]*:[ \t*_]*(.*)$", re.IGNORECASE | re.MULTILINE)
HASHES_LINE = re.compile(r"^[ \t]*####[ \t]*(.*)$", re.MULTILINE)
# a comma separates groups of three digits; "1,2" is two numbers
NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+)?|[-+]?\.\d+")
# models also write typographic minus signs
MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-"})
# TeX that affects the look of a number, not its value; possessive, as model output may repeat any of it a million times
LOOKS = re.compile(
    r"\\(?:boxed|text|textbf|mathrm|mathbf|left|right|displaystyle)(?![a-zA-Z])"
    r"|\\[$%!,;: ()\[\]]|\^\s*+\{?+\s*+\\circ\s*+\}?|[{}$]"
)
TEXT = re.compile(r"\$?\\text(?:bf|rm)?\{([^{}]*)\}\$?|([A-Za-z][A-Za-z ]{2,})")
FULL_MARKS = 1.0 - 1e-9
THINKING_OPENS, THINKING_ENDS = "<think>", "</think>"


def after_thinking(text: str, inside: bool = False) -> str:
    """Return the text after the thinking part of a response; empty if the thinking part was never closed.

    Args:
        text: the response.
        inside: whether the prompt has already opened the thinking part, as some chat templates do.
    """
    _, ended, rest = text.rpartition(THINKING_ENDS)
    return "" if THINKING_OPENS in rest or (inside and not ended) else rest


def extract_answer(text: str, whole: bool = False) -> str | None:
    r"""Extract the answer from the last `Answer:` line, else from the last `\boxed{}`, else from the last `####` line.

    Args:
        text: a response; its thinking part is ignored.
        whole: take everything after the mark, for answers of several lines.

    Returns:
        The answer; None if there is none or it is empty.
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
    """Return the text after the last mark, to the end of its line or of the text; None without a mark."""
    found = list(mark.finditer(text))
    if not found:
        return None
    return text[found[-1].start(1) :] if whole else found[-1][1]


def boxed(text: str) -> str | None:
    r"""Return the content of the last `\boxed{}` of a text, including inner braces; None if there is none."""
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
    """Extract the answer from a response; some generators expect answers of several lines.

    Args:
        question: the question of the response.
        text: the response.
        inside: whether the prompt has already opened the thinking part.
    """
    several_lines = question.kind == "reasoning_gym" and ("\n" in question.answer or not question.answer)
    return extract_answer(after_thinking(text, inside), several_lines)


def is_correct(question: "Question", answer: str | None) -> bool:
    """Whether an extracted answer equals the gold answer; no answer is wrong, and so is invalid Unicode.

    Raises:
        OddError: the verifier needs a package that is not installed.
    """
    return answer is not None and is_unicode(answer) and VERIFIERS[question.kind](question, answer)


def parse_number(text: str) -> Fraction | None:
    """Parse the only number in `text` (thousands separators, decimals, fractions); None if there is not exactly one."""
    found = NUMBER.findall(text.translate(MINUS))
    if len(found) != 1:
        return None
    try:
        return Fraction(found[0].replace(",", ""))
    except (ValueError, ZeroDivisionError):
        return None


def plain(text: str) -> str:
    r"""Strip formatting from an answer, such as dollar signs, degrees and `\text{}`."""
    return LOOKS.sub("", text)


def is_tex(text: str) -> bool:
    """Whether an answer contains TeX other than formatting."""
    return any(sign in plain(text) for sign in "\\^")


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


def _same_number(question: "Question", answer: str) -> bool:
    if is_tex(answer):  # extracting one number would mistake a root for its radicand
        return equal_expressions(question.answer, answer)
    value = parse_number(plain(answer))
    return value is not None and value == parse_number(plain(question.answer))


def _same_expression(question: "Question", answer: str) -> bool:
    gold = question.answer
    if gold.split() == answer.split():
        return True
    same = _same_number_or_words(gold, answer)
    return equal_expressions(gold, answer) if same is None else same


def _same_number_or_words(gold: str, answer: str) -> bool | None:
    """Whether two plain numbers or the same words are equal; None if they are other mathematics."""
    written = plain(gold).strip(), plain(answer).strip().removesuffix(".")
    if all(NUMBER.fullmatch(text) for text in written) and None not in (values := list(map(parse_number, written))):
        return values[0] == values[1]
    if words := TEXT.fullmatch(gold.strip()):  # math-verify would read a word as a product of letters
        return (words[1] or words[2] or "").casefold().split() == written[1].casefold().split()
    return None


def needs_judge(question: "Question") -> bool:
    """Whether math-verify must evaluate the gold answer; other kinds of questions check theirs when made."""
    return question.kind == "expression" and _same_number_or_words(question.answer, question.answer) is None


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
