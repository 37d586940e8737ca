"""Read the number that an answer states, as people write numbers; None unless the answer is that number.

One number in a text is not the number that the text states: `5²`, `√7`, `2π`, `7 million` and `not 7` are other values.
Units and words around a number are allowed: `7 apples`, `n = 7`, `5 m/s^2`, `$7`, `28%` (the number 28).
"""

import re
from fractions import Fraction

# a comma separates groups of three digits; "1,2" is two numbers
BARE = re.compile(r"[-+]?(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+)?|\.\d+)", re.ASCII)
SCIENTIFIC = re.compile(
    r"([-+]?(?:\d{1,20}(?:\.\d{1,20})?|\.\d{1,20}))(?:[eE]|\s?(?:[x×*·⋅]|\\times|\\cdot)\s?10\s?\^)\s?\{?([-+]?\d{1,3})\}?",
    re.ASCII,
)
RAISED = re.compile("10\\s?([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3})")
PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
TOKEN = re.compile(
    r"(?P<mixed>\d+ +\d+/\d+)|(?P<number>(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:/\d+)?|\.\d+)"
    r"|(?P<command>\\[A-Za-z]+)"
    r"|(?P<word>[A-Za-zÀ-ÖØ-öø-ſµμΩ°](?:[A-Za-zÀ-ÖØ-öø-ſµμΩ°]|'(?=[A-Za-z]))*)(?P<power>\s?\^\s?(?:\{-?\d\}|-?\d)|⁻?[¹²³])?"
    r"|(?P<sign>\S)",
    re.ASCII,
)
LONGEST = 10_000
"""Characters beyond which a text states no number."""
VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5",
    "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8", "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip
MINUS = "\N{MINUS SIGN}\N{EN DASH}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{SMALL HYPHEN-MINUS}－"
ASCII = str.maketrans(
    dict.fromkeys(MINUS, "-")
    | {"\N{FRACTION SLASH}": "/", "\N{DIVISION SLASH}": "/", "＋": "+", "＝": "=", "，": ",", "．": ".", "。": "."}
    | {"％": "%", "／": "/", "（": "(", "）": ")", "：": ":", "；": ";"}
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
)
SPACES = "\u00a0\u202f\u2009\u2007"
GROUPING = re.compile("(?<=\\d)[\u00a0\u202f\u2009\u2007](?=\\d{3}(?!\\d))")
"""A space that separates groups of three digits."""
SPACED = re.compile(r"(?<![\d.,/])[1-9]\d{0,2}(?: \d{3}){1,9}(?![\d/])(?! \d)", re.ASCII)
"""A number whose groups of three digits are separated by plain spaces."""
NEGATIVE = "minus", "negative"
CURRENCY = frozenset("$€£¥₹₩₽¢") | {"US", "USD", "EUR", "GBP", "INR", "JPY", "CHF", "Rs"}
OPENS, AROUND = "([{", frozenset("=:;,.()[]{}\"'`~#?\\")
"""Signs that open a bracket, and all that leave the number beside them as it is."""
FORMATS = "boxed", "text", "textbf", "mathrm", "mathbf"
"""Commands of TeX around a number."""
BETWEEN_UNITS = "/·*"
UNITS = frozenset("mgshlLNJKWVACFTSdtµμΩ°Å")
"""Units of one letter; any other letter beside a number is a variable or a magnitude."""
CHANGING = frozenset(
    (
        *(
            "not",
            "never",
            "isn't",
            "doesn't",
            "cannot",
            "can't",
            "won't",
            "neither",
            "nor",
            "none",
            "without",
            "anything",
        ),
        *("wrong", "incorrect", "false", "excluded", "excluding", "nicht", "kein", "keine", "pas"),
        *("or", "either", "except", "between", "over", "above", "below", "under", "up"),
        *("than", "least", "most", "plus", "minus", "negative", "divided", "mod", "base"),
        *("sqrt", "root", "cbrt", "log", "ln", "lg", "exp", "sin", "cos", "tan", "arcsin", "arccos", "arctan", "abs"),
        *("pi", "infinity", "half", "quarter", "double", "doubled", "twice", "triple", "tripled", "halved"),
        *("squared", "cubed", "factorial", "power", "exponent"),
        *("lakh", "lakhs", "crore", "crores", "dozen", "dozens", "mille", "mil", "mio", "mln", "mrd", "bn"),
    )
)
"""Words that make the value another one than that of the number beside them."""
MAGNITUDE = re.compile(
    r"(?:hundred|thousand|hundert|tausend|(?:[mb]|tr|quadr)ill(?:i?on|ión|ard|iard))(?:e?s|en|ths?)?"
    r"|(?:hal|quarter|third|four?th|fif|six|seven|eigh|nin|ten|eleven|twelf|\w{1,7}teen|twentie)(?:ths|ves|s)"
)
"""Words for multiples and, in the plural, for parts, such as millions, Milliarden and sevenths."""
SILENT = frozenset(
    (
        *("quad", "qquad", "approx", "sim", "degree", "circ", "dots", "ldots", "cdots", "therefore"),
        *("implies", "Rightarrow", "to", "fbox", *FORMATS),
    )
)
"""Commands of TeX that leave the number beside them as it is; relations, functions and signs do not."""
RELATIONS = frozenset(("ne", "neq", "le", "leq", "leqslant", "ge", "geq", "geqslant", "lt", "gt", "in", "notin"))
"""Commands of TeX before which there is no name of the number, as there is before an equals sign."""


def is_bare_number(text: str) -> bool:
    """Whether a text is a number and nothing else."""
    return BARE.fullmatch(text.translate(ASCII)) is not None and read_number(text) is not None


def read_number(text: str) -> Fraction | None:
    """Return the number that a text states; None if it states none, several, or another value."""
    if len(text) > LONGEST:
        return None
    text = GROUPING.sub("", text.translate(ASCII)).translate(dict.fromkeys(map(ord, SPACES), " "))
    text = SPACED.sub(lambda found: found[0].replace(" ", ""), text)
    for sign, fraction in VULGAR.items():
        text = text.replace(sign, f" {fraction}") if sign in text else text
    tokens = list(TOKEN.finditer(text))
    places = [place for place, token in enumerate(tokens) if token["number"] or token["mixed"]]
    if len(places) != 1:
        return None
    before, number, after = tokens[: places[0]], tokens[places[0]], tokens[places[0] + 1 :]
    sign = _sign(before, number)
    return _value(number, sign) if sign and _keeps_value(after) else None


def read_scientific(text: str) -> Fraction | None:
    """Return the number that a text writes with a power of ten, such as `1.5e-3` or `7×10³`; else None."""
    if len(text) > LONGEST:
        return None
    text = RAISED.sub(lambda found: f"10^{found[1].translate(PLAIN)}", text.translate(ASCII)).strip().removesuffix(".")
    found = SCIENTIFIC.fullmatch(text)
    return Fraction(found[1]) * Fraction(10) ** int(found[2]) if found else None


def _sign(before: list[re.Match[str]], number: re.Match[str]) -> int:
    """Return the sign of a number, 1 or -1; 0 if what stands before changes its value otherwise."""
    sign, start = 1, number.start()
    start = _before_brackets(before, start)
    if before and (before[-1][0] in "+-" or before[-1][0].lower() in NEGATIVE):
        last = before.pop()
        sign, spaced, start = 1 if last[0] == "+" else -1, last.end() < start, last.start()
        if before and not _lets_sign_follow(before[-1], spaced and last[0] in "+-", start):
            return 0
        start = _before_brackets(before, start)
    if before and before[-1]["word"] and before[-1].end() == start and before[-1]["word"] not in FORMATS:
        return 0  # as in x7 and f(7)
    named = next((place for place in range(len(before), 0, -1) if before[place - 1][0] == "="), 0)
    return sign if all(_leaves(token, place < named) for place, token in enumerate(before)) else 0


def _before_brackets(before: list[re.Match[str]], start: int) -> int:
    """Drop the opening brackets and currencies at the end of some tokens; return where the first of them starts."""
    while before and (before[-1][0] in OPENS or before[-1][0] in CURRENCY):
        start = before.pop().start()
    return start


def _lets_sign_follow(token: re.Match[str], spaced: bool, start: int) -> bool:
    """Whether a sign behind a token belongs to the number behind it, and is no operator or dash."""
    if token["word"]:
        return len(token[0]) > 1 and not spaced and token.end() < start
    return token[0] in "=:,;" + OPENS or token[0] in CURRENCY


def _keeps_value(after: list[re.Match[str]]) -> bool:
    """Whether what stands after a number leaves its value as it is."""
    if after and (_is_variable(after[0]) or after[0][0] == "!"):
        return False  # as in 3i, 7k and 7!
    for place, token in enumerate(after):
        previous, following = after[place - 1] if place else None, after[place + 1 : place + 2]
        if token[0] in BETWEEN_UNITS or (token["power"] and token["word"].lower() not in CHANGING):
            if not token["power"] and not (following and following[0]["word"] and not _is_variable(following[0])):
                return False
            if token[0] in "·*" and (previous is None or not previous["word"]):
                return False
        elif token[0] == "-":
            if not following or not following[0]["word"] or len(following[0][0]) == 1:
                return False
        elif not (_leaves(token) or token[0] in "%!" or token[0] in CURRENCY):
            return False
        if token[0].lower() in ("more", "less", "fewer") and previous is not None and previous[0].lower() == "or":
            return False
    return True


def _is_variable(token: re.Match[str]) -> bool:
    return token["word"] is not None and len(token["word"]) == 1 and token["word"] not in UNITS


def _leaves(token: re.Match[str], in_name: bool = False) -> bool:
    """Whether a word or sign somewhere beside a number leaves its value as it is.

    Args:
        token: the word or sign.
        in_name: whether it stands before an equals sign, and so may belong to the name of the number.
    """
    if token["command"]:
        command = token["command"][1:]
        return command in SILENT or (in_name and command not in RELATIONS)
    if token["word"]:
        word = token["word"].lower()
        return word not in CHANGING and not MAGNITUDE.fullmatch(word) and not token["power"]
    return token[0] in AROUND or token[0] in CURRENCY


def _value(number: re.Match[str], sign: int) -> Fraction | None:
    whole, _, part = (number["mixed"] or "0 " + number[0]).partition(" ")
    try:
        return sign * (int(whole) + Fraction(part.replace(",", "")))
    except (ValueError, ZeroDivisionError):
        return None
