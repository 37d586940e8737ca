"""What a chat template does with messages: whether a prompt holds them, which dates and which switches it knows."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from odd.models.base import Message
from odd.models.transformers.rendering import Turns
from odd.questions.thinking import after_thinking

PROBE = "qzxprobeqzx"
"""Content of a message that no template and no special token contains."""
DATE = re.compile(r"""strftime_now\(\s{0,9}(?:'([^'\n]{1,99})'|"([^"\n]{1,99})")""")
NAME = re.compile(r"[A-Za-z_]\w*")
THINKING_NAME = re.compile(r"think|thought|reason|cot\b|cot_", re.IGNORECASE)
PARTS_AS_TEXT = re.compile(r"""\{\s?['"]type['"]:\s?['"]text['"]""")


def in_parts(turns: Sequence[Message]) -> Turns:
    """Return messages whose contents are lists of one part, as templates of models for images want them."""
    return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]


def shows_parts(text: str) -> bool:
    """Whether a prompt has parts written out as a list, by a template that wants texts."""
    return PARTS_AS_TEXT.search(text) is not None


def left_out(turns: Sequence[Message], text: str) -> str | None:
    """Return what a prompt lacks, in words; None if it has everything.

    Templates may change spaces, write messages as JSON, and drop the thinking parts of earlier responses.
    """
    shown = _spaced(text)
    missing = [turn for turn in turns if _spaced(_kept(turn)) not in shown and _escaped(_kept(turn)) not in text]
    if not missing:
        return None
    if turns[-1] in missing:
        others = {"system": "there is a system message", "assistant": "there are earlier turns"}
        present = [words for role, words in others.items() if any(turn["role"] == role for turn in turns)]
        return "the question out of the prompt" + (f" when {' and '.join(present)}" if present else "")
    return ("the system message" if missing[0]["role"] == "system" else "earlier turns") + " out of the prompt"


def _kept(turn: Message) -> str:
    return after_thinking(turn["content"]) if turn["role"] == "assistant" else turn["content"]


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _spaced(text: str) -> str:
    return " ".join(text.split())


def how_to_ask(turns: Sequence[Message]) -> str:
    """Return the advice for messages whose roles a template does not take."""
    roles = {turn["role"] for turn in turns}
    without = [what for role, what in (("system", "a system message"), ("assistant", "shots")) if role in roles]
    return f"ask without {' and '.join(without)}, or " if without else ""


def date_formats(template: Any) -> tuple[str, ...]:
    """Return the formats in which a template shows the date."""
    return tuple(single or double for single, double in DATE.findall(_source(template)))


def thinking_names(template: Any) -> list[str]:
    """Return the names in a template that sound like a switch of its thinking mode, in order."""
    return [name for name in dict.fromkeys(NAME.findall(_source(template))) if THINKING_NAME.search(name)]


def _source(template: Any) -> str:
    return template if isinstance(template, str) else ""


def template_of(templates: Any) -> Any:
    """Return the template to use among those of a tokenizer: the only one, or the one named default.

    Raises:
        ValueError: there are several, and none is the default.
    """
    if not isinstance(templates, Mapping):
        return templates
    if "default" in templates:
        return templates["default"]
    raise ValueError(
        f"there are multiple chat templates ({', '.join(sorted(map(str, templates)))}) and none is the default"
    )
