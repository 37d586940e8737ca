r"""Rewrite mathematics in plain text or Unicode as TeX, which math-verify reads best.

So `√2 * pi**2` becomes `\sqrt{2}\cdot\pi^2`.

What is not complete, such as `2+` or an open bracket, is refused: its head must not count as the whole.
"""

import re

from odd.questions.numbers import MINUS, VULGAR

FUNCTIONS = re.compile(
    r"(?<![A-Za-z\\])(arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|ln|log|min|max|gcd)(?![A-Za-z])"
)
NAMES = re.compile(r"(?<![A-Za-z\\{])(pi|theta|alpha|beta)(?![A-Za-z])")
INFINITY = re.compile(r"(?<![A-Za-z\\{])(?:infinity|oo)(?![A-Za-z])")
SIGNS = {
    "π": r"\pi ", "∞": r"\infty ", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "÷": "/",
    **dict.fromkeys(MINUS, "-"), "ℝ": r"\mathbb{R}", "θ": r"\theta ",
    "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ",
    "∅": r"\emptyset ", r"\varnothing": r"\emptyset ", "⁄": "/", "∕": "/", "\u00a0": " ", "\u202f": " ", "\u2009": " ",
}  # fmt: skip
FRACTIONS = {sign: r"\frac{{{}}}{{{}}}".format(*value.split("/")) for sign, value in VULGAR.items()}
RAISED, LOWERED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+"), re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ₀₁₂₃₄₅₆₇₈₉", "0123456789+-n0123456789")
NUMERAL = re.compile(r"\(?([0-9A-Za-z]{1,40})\)?_\{?(\d{1,2})\}?")
"""A numeral with its base."""
STOPS = " \t\n.,;。，；*_`"
"""What may follow an answer at the end of a sentence."""
REPEATING = re.compile(r"(\d{1,20})\.(\d{0,20})\\(?:overline|bar|dot)\{?(\d{1,20})\}?", re.ASCII)
"""A decimal whose last digits repeat."""
COMMAND, NAMED = re.compile(r"\\[A-Za-z]+"), re.compile("[A-Za-z]")
UNIT = re.compile(
    r"(?:(?<=[\dπ})$])|(?<=pi))[ ~]{1,3}(?:(?:square|sq|cubic|cu)\.? )?"
    r"(?:[mcdk]?m|km|in|ft|yd|mi|inch(?:es)?|feet|foot|yards?|miles?|(?:centi|milli|kilo)?met(?:re|er)s?|units?"
    r"|[mk]?g|lbs?|oz|(?:kilo)?grams?|pounds?|m?s|sec(?:onds?)?|min(?:utes?)?|h|hrs?|hours?|days?|[mcd]?[lL]|lit(?:re|er)s?"
    r"|degrees?|dollars?|cents?|rad(?:ians)?)(?:/(?:s|h|min|hour|second))?(?:\^\{?[23]\}?|[²³])?$"
)
"""A unit behind a number, at the end of an answer."""
OPERATORS = tuple("+-*/^_=<>,;:\\&")
"""What no expression ends with."""


def to_tex(text: str) -> str:
    """Rewrite plain mathematics in a text as TeX; TeX stays as it is."""
    text = REPEATING.sub(_as_fraction, text.strip().rstrip(STOPS).strip("$").rstrip(STOPS).strip())
    for sign, tex in (SIGNS | FRACTIONS).items():
        text = text.replace(sign, tex)
    text = RAISED.sub(lambda found: f"^{{{found[0].translate(PLAIN)}}}", text)
    text = LOWERED.sub(lambda found: f"_{{{found[0].translate(PLAIN)}}}", text)
    text = re.sub(r"\^\s*(-\d+|\d{2,})", r"^{\1}", text.replace("**", "^"))
    text = re.sub(r"(\^|√|sqrt|exp)\s+\(", r"\1(", text)
    text = re.sub(r"√\s*(\w+(?:\.\d+)?)", r"\\sqrt{\1}", text).replace("√", r"\sqrt")
    text = re.sub(r"(?<![A-Za-z\\])sqrt(?![A-Za-z])", r"\\sqrt", text)
    text = _braced(text, r"\sqrt")
    text = re.sub(r"(?<![A-Za-z\\])exp(?=\()", r"e^", text)
    text = _braced(text, "^")
    text = INFINITY.sub(r"\\infty ", NAMES.sub(r"\\\1 ", text))
    text = FUNCTIONS.sub(r"\\\1 ", text)
    text = re.sub(r"(?<=[\w)}\]])\s*\*\s*(?=[\w(\\{])", r"\\cdot ", text)
    return " ".join(text.split())


def has_names(text: str) -> bool:
    """Whether a text has letters outside commands of TeX and names of functions: variables, units or words."""
    return NAMED.search(FUNCTIONS.sub("", NAMES.sub("", COMMAND.sub("", text)))) is not None


def without_unit(text: str) -> str:
    """Drop the unit behind a number or an expression, such as `cm²` in `12π cm²`."""
    return UNIT.sub("", text.strip().rstrip(STOPS))


def _as_fraction(found: re.Match[str]) -> str:
    whole, fixed, repeated = found.groups()
    below = (10 ** len(repeated) - 1) * 10 ** len(fixed)
    return rf"\frac{{{int(whole + fixed + repeated) - int(whole + fixed)}}}{{{below}}}"


def _braced(text: str, mark: str) -> str:
    """Replace the round brackets that directly follow a mark by braces."""
    signs, opened = list(text), []
    for place, sign in enumerate(text):
        if sign == "(":
            opened.append(place)
        elif sign == ")" and opened and text.endswith(mark, 0, start := opened.pop()):
            signs[start], signs[place] = "{", "}"
    return "".join(signs)


def is_complete(tex: str) -> bool:
    """Whether brackets are closed and the last operator has something behind it; intervals may be half open."""
    bare = re.sub(r"\\[{}]", "", tex)
    depth = 0
    for sign in bare:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth < 0:
            return False
    opened = sum(bare.count(sign) for sign in "([")
    closed = sum(bare.count(sign) for sign in ")]")
    ends = bare.rstrip().removesuffix(r"\right").rstrip()
    return depth == 0 and opened == closed and bool(ends) and not ends.endswith(OPERATORS)


def numeral(text: str) -> tuple[str, int] | None:
    """Return the digits and the base of a numeral such as `1011_2`; None if the text is none."""
    found = NUMERAL.fullmatch(text.replace(" ", "").strip("$").replace(r"\text", "").replace(r"\mathrm", ""))
    return (found[1].upper().lstrip("0") or "0", int(found[2])) if found else None
