"""Which option an answer names: the letter of a choice, or yes or no. All of the answer must name that one only."""

import re
import unicodedata
from collections.abc import Sequence

LETTERS = "ABCDEFGHIJ"
WORDS = "AI"
"""Letters that are also words."""
QUOTES = str.maketrans(dict.fromkeys("“”„«»", '"') | dict.fromkeys("‘’", "'"))
INTRODUCTION = re.compile(
    r"(?:(?:the )?(?:final |correct |right |best )?(?:answer|option|choice|letter)(?: is)?\s?[:=]?\s?){1,3}"
    r"(?![a-z]{2})",
    re.IGNORECASE,
)
LETTER = re.compile(
    r"""(?P<opens>[(\[<{"']{0,4})\s?(?P<letter>[A-Za-z])(?![A-Za-z0-9+#^_]|'[A-Za-z])\s?(?P<closes>[)\]>}"'.:,;]*)"""
)
REASON = re.compile(r"(?:because|since|as|for)\b", re.IGNORECASE)
OPENING = " ([{-–—=:\"'"
"""What may stand between a letter and the text of its option."""
OR_NOT = re.compile(r"\bor not\b", re.IGNORECASE)
DENIED = re.compile(r"(?:is|was|would be|={1,3})\s?(?:n't|not|wrong|incorrect|false)\b", re.IGNORECASE)
HEDGED = re.compile(
    r"\s{0,9}\?\W{0,20}\Z|[,;]?\s{0,9}(?:only )?(?:if|unless|provided)\b|\.\s?\d{1,9}\W{0,20}\Z",
    re.IGNORECASE,
)
"""What follows yes or no and takes it back: a question mark, a condition, a number as in `No. 7`."""
DOUBTED = re.compile(r"\b(?:don't know|not sure|unsure|no idea)\b", re.IGNORECASE)
CORRECTED = re.compile(
    r"\b(?:actually|i mean|rather|wait|correction|sorry|else)\b\W+(?:\w+\W+)?(yes|no)\b(?!\s+\w)", re.IGNORECASE
)
DENIAL = re.compile(r"(?:is|are|was|would be|seems)?\s?(?:n't|not|wrong|incorrect|false)\b", re.IGNORECASE)
NAMED = re.compile(r"(?<![A-Za-z0-9'])([A-J])(?![A-Za-z0-9'])")
"""A letter that stands alone."""
JOINED = re.compile(
    r"(?:(?:\band|\bor|[,/&+])\s*(?:maybe |perhaps |possibly |also )?[(\[<]?|[(\[<])([A-Ja-j])(?![A-Za-z0-9'])\s*"
    r"(?:[)\]>.,;/&]|\Z|and\b|or\b)"
)
"""A letter in brackets or joined to another; with letters that are words, and small ones."""
YES_NO = re.compile(r"""["'(\[<]{0,4}\s?(yes|no)(?!\w|'\w)\s?["')\]>]*""", re.IGNORECASE)
CLAUSE = re.compile(
    r"(?:[,.;:!?(\n–—]|-(?!\w)|(?:no|because|since|as|it|he|she|they|there|the|this|that|these|those|i|we|you|not)\b|\Z)",
    re.IGNORECASE,
)
"""What may follow no; "no idea" and "no doubt" are other answers."""
OTHER = re.compile(
    r"(?:\band|\bor|\bbut|[/&|])\s*(?:maybe |perhaps |possibly |also )?(yes|no)(?![\w'])(?!\s+\w)"
    r"|[,.;:!?–—-]\s*(yes|no)(?=[^\w']*(?:\Z|\band\b|\bor\b))",
    re.IGNORECASE,
)


def named_letter(answer: str, choices: Sequence[str]) -> str | None:
    """Return the letter of the only option that an answer names; None if there is none or several.

    Args:
        answer: the answer, without formatting.
        choices: texts of the options.
    """
    text = _normal(answer)
    text = text[found.end() :] if (found := INTRODUCTION.match(text)) else text
    found = LETTER.match(text)
    if found is None:
        return None
    letter, rest = found["letter"].upper(), text[found.end() :].strip()
    number = LETTERS.find(letter)
    own = _normal(choices[number]) if 0 <= number < len(choices) else ""
    text = rest.lstrip(OPENING)
    if named := _option_at_start(text, choices):
        if named.casefold() != own.casefold():
            return None  # the letter of one option, the text of another
        rest = text[len(own) :]
    elif rest and not (found["opens"] or found["closes"]):
        is_word = letter in WORDS or found["letter"].islower()
        if (is_word and not REASON.match(rest)) or DENIAL.match(rest):
            return None
    if OR_NOT.search(rest):
        return None
    others = {other for other in NAMED.findall(rest) if other not in WORDS}
    others |= {other.upper() for other in JOINED.findall(rest if not found["closes"] else f"{found['closes']}{rest}")}
    return None if others - {letter} else letter


def _option_at_start(text: str, choices: Sequence[str]) -> str:
    """Return the longest option that a text starts with, up to a sign or its end; empty if there is none."""
    found = [option for option in map(_normal, choices) if option and text.casefold().startswith(option.casefold())]
    whole = [option for option in found if not text[len(option) :][:1].isalnum()]
    return max(whole, key=len, default="")


def said_yes_or_no(answer: str) -> str | None:
    """Return yes or no if an answer says only that, perhaps with reasons; else None."""
    text = _normal(answer)
    found = YES_NO.match(text)
    if found is None:
        return None
    said, rest = found[1].lower(), text[found.end() :].strip()
    closed = found[0].rstrip()[-1:] in tuple("\"')]>")
    if said == "no" and not closed and not CLAUSE.match(rest):
        return None
    if DENIED.match(rest) or HEDGED.match(rest) or DOUBTED.search(rest):
        return None
    if any(one.lower() != said for one in CORRECTED.findall(rest)):
        return None
    return None if any(one.lower() not in ("", said) for pair in OTHER.findall(f" {rest}") for one in pair) else said


def _normal(text: str) -> str:
    """Return a text with plain quotes, brackets and single spaces, without formatting at its ends."""
    return " ".join(unicodedata.normalize("NFKC", text).translate(QUOTES).split()).strip(" *_`")
