"""Text in and out: untrusted text made visible, times and sizes in words, untrusted JSON.

A token's bytes need not be complete characters, and model output may contain control characters, text directions,
markup or formulas. `visible` spells out a token so that nothing is hidden; the escapes make Markdown and plotly
display other text literally.
"""

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

NAMED = {"\n": "⏎", "\t": "⇥", "\r": "␍", "\x1b": "␛", "\x00": "␀", "\x7f": "␡"}
JOINERS = "\u200d\ufe0f"
MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&\"'=^/@])")

SURROGATES = re.compile("[\ud800-\udfff]")
REWRITTEN = re.compile(r"(?<=[-<>=~])(?=[-<>=~])|(?<=:)(?=//|streamlit)|(?=@)|(?<=www)(?=\.)", re.IGNORECASE)


@lru_cache(maxsize=1 << 15)
def visible(token: bytes) -> str:
    """Spell out the bytes of a token: control and format characters by name, bytes that are not UTF-8 as `⟨E2⟩`.

    Spaces stay spaces (the page marks them); an empty token is `∅`.
    """
    text = token.decode("utf-8", errors="surrogateescape")
    if not text.strip(JOINERS):
        return "".join(f"⟨U+{ord(character):04X}⟩" for character in text) or "∅"
    # a combining mark needs a letter before it
    base = "◌" if unicodedata.category(text[0]).startswith("M") else ""
    return base + "".join(_shown(character) for character in text)


def visible_text(text: str) -> str:
    """Spell out a longer text as `visible` does, keeping its line breaks."""
    return "".join(character if character == "\n" else _shown(character) for character in text)


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"⟨{code - 0xDC00:02X}⟩"
    if character in NAMED:
        return NAMED[character]
    # zero-width joiners hold emoji together, so they stay; direction marks and other invisible characters are spelled
    # out
    if character in JOINERS:
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Cn"):
        return f"⟨U+{code:04X}⟩"
    return character


def markdown_escaped(text: str) -> str:
    """Escape text for Markdown, including streamlit's formulas, colours and icons, as a single line."""
    # streamlit turns plain text into arrows, links and its logo after resolving the escapes: a zero-width word joiner
    # breaks these patterns up
    return MARKDOWN.sub(r"\\\1", REWRITTEN.sub("\u2060", " ".join(visible_text(text).split())))


def plotly_escaped(text: str) -> str:
    """Escape text for plotly, which parses tags and entities in labels, and formulas between dollar signs."""
    # a zero-width space keeps two dollar signs from starting a formula: plotly has no escape for them
    escaped = visible_text(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace("$", "$\u200b").replace("\n", "⏎")


LONGEST_WORD = 80
"""Characters of a token in a title."""


def shortened(text: str, length: int = 300) -> str:
    """Return a text of at most `length` characters, without its middle: messages end with the remedy."""
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]} … {text[-half:]}"


STEPS = ((60, "second"), (60, "minute"), (24, "hour"), (365, "day"))


def age(seconds: float) -> str:
    """Format how long ago something was: "5 minutes ago"; a future time, from a wrong clock, is "just now"."""
    if seconds < 10:
        return "just now"
    amount = seconds
    for size, unit in STEPS:
        if amount < size:
            return f"{_counted(amount, unit)} ago"
        amount /= size
    return f"{_counted(amount, 'year')} ago"


def _counted(amount: float, unit: str) -> str:
    whole = int(amount)
    return f"{whole} {unit}" if whole == 1 else f"{whole} {unit}s"


def duration(seconds: float | None) -> str:
    """Format a waiting time: "45 s", "3 min 20 s", "2 h 5 min"; an en dash if it is unknown."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = f"{minutes // 60} h"
    return f"{hours} {minutes % 60} min" if minutes % 60 else hours


def rough(seconds: float | None) -> str:
    """Format a roughly known waiting time: "about 3 min"; an en dash if it is unknown."""
    if seconds is None:
        return "–"
    step = 5 if seconds < 60 else 10 if seconds < 300 else 60
    return f"about {duration(max(step, step * round(seconds / step)))}"


def size(count: int) -> str:
    """Format a number of bytes as kB, MB or GB."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.2f} GB"


def occurrences(text: str, find: str) -> Iterator[int]:
    """Yield where a non-empty text occurs in another, in any case, without overlaps."""
    folded, sought, start = _folded(text), _folded(find), 0
    while (at := folded.find(sought, start)) >= 0:
        yield at
        start = at + len(find)


def _folded(text: str) -> str:
    """Return a text in lower case, without the few characters that would become two."""
    return "".join(low if len(low := one.lower()) == 1 else one for one in text)


DEEPEST = 100
"""Levels of lists and objects in JSON. Python and pydantic fail on a few hundred, at depths that differ by function."""


def to_json(value: Any) -> str:
    """Write JSON that browsers can read: numbers that are not finite become null."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class _Twice(ValueError):
    """A key occurs twice in an object; which of its values is meant is unknown."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _Twice(f"the key {shortened(repr(twice), 60)} occurs twice: keep one")
    return found


def parse_json(text: str) -> Any:
    """Parse untrusted JSON.

    Raises:
        ValueError: it is not JSON, has a key twice, or is too much for Python: a number with too many digits, or more
            than `DEEPEST` levels. One short line.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
    except (json.JSONDecodeError, _Twice):
        raise
    except ValueError:
        raise ValueError("a number has too many digits") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text.count("[") + text.count("{") > DEEPEST and is_deep(value):
        raise ValueError("it is nested too deeply")
    return value


def is_deep(value: Any, levels: int = DEEPEST) -> bool:
    """Whether a value has more than `levels` levels of lists and dictionaries."""
    layer = _containers([value])
    for _ in range(levels):
        layer = _containers(part for whole in layer for part in (whole.values() if isinstance(whole, dict) else whole))
    return bool(layer)


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list | tuple)]


def texts_in(value: Any) -> Iterator[str]:
    """Yield all texts in a value, also those in its lists and dictionaries."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict):
            left += (*part.keys(), *part.values())
        elif isinstance(part, list | tuple):
            left += part


def is_unicode(text: str) -> bool:
    """Whether a text is valid Unicode; JSON can contain halves of characters, which no file can hold."""
    return not SURROGATES.search(text)
