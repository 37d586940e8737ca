"""Tokens and hostile text, faithfully and visibly.

A token's bytes need not be whole characters, and what a model writes may hold control characters, text directions,
markup or formulas. `visible` spells a token so that nothing is hidden; the escapes let other text pass through
Markdown and plotly as itself.
"""

import re
import unicodedata
from functools import lru_cache

NAMED = {"\n": "⏎", "\t": "⇥", "\r": "␍", "\x1b": "␛", "\x00": "␀", "\x7f": "␡"}
JOINERS = "\u200d\ufe0f"
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&\"'=^/@])")

REWRITTEN = re.compile(r"(?<=[-<>=~])(?=[-<>=~])|(?<=:)(?=//|streamlit)|(?=@)|(?<=www)(?=\.)", re.IGNORECASE)


@lru_cache(maxsize=1 << 15)
def visible(token: bytes) -> str:
    """Spell the bytes of a token: control and format characters named, bytes that are no UTF-8 as `⟨E2⟩`.

    Spaces stay spaces (the page marks them); an empty token is `∅`.
    """
    text = token.decode("utf-8", errors="surrogateescape")
    if not text.strip(JOINERS):
        return "".join(f"⟨U+{ord(character):04X}⟩" for character in text) or "∅"
    # a mark that combines with the letter before it has none here
    base = "◌" if unicodedata.category(text[0]).startswith("M") else ""
    return base + "".join(_shown(character) for character in text)


def visible_text(text: str) -> str:
    """Spell a longer text as `visible` does, keeping its line breaks."""
    return "".join(character if character == "\n" else _shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"⟨{code - 0xDC00:02X}⟩"
    if character in NAMED:
        return NAMED[character]
    # zero-width joiners hold emoji together and stay; marks of direction and other invisible characters are spelled
    if character in JOINERS:
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Cn"):
        return f"⟨U+{code:04X}⟩"
    return character


def markdown_escaped(text: str) -> str:
    """Text that Markdown, with streamlit's formulas, colours and icons, shows as it is, in one line."""
    # arrows, addresses and streamlit's logo are made of plain text, after the escapes are gone: a word joiner, which
    # has no width, takes them apart
    return MARKDOWN.sub(r"\\\1", REWRITTEN.sub("\u2060", " ".join(visible_text(text).split())))


def plotly_escaped(text: str) -> str:
    """Text that plotly shows as it is: it reads tags and entities out of labels, and formulas between dollars."""
    # a zero-width space keeps two dollars from being a formula: plotly has no escape for them
    escaped = visible_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("$", "$\u200b").replace("\n", "⏎")
