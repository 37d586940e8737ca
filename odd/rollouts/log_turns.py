"""Signs that a logged response contains further turns, which the student did not write.

A log of text without control tokens shows a turn only by the name of its role, on a line of its own or as the chat
template writes it.
"""

import re
from collections.abc import Sequence

from odd.errors import OddError
from odd.models.base import Tokenizer

ROLE_LINE = re.compile(r"^(?:user|tool|assistant|system|developer|observation|ipython)[ \t]*+$", re.MULTILINE)
RESULTS = re.compile(r"</?(?:tool_response|information)>|<\|?tool_response\|?>|<\|tool_outputs?_begin\|>")
"""Marks of the results of tools, which no student writes; `information` is Search-R1's."""
CONTENTS = ("qzxaskedqzx", "qzxsaidqzx", "qzxmoreqzx")


class TurnMarks:
    """Finds the text by which a chat template opens a further turn."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._between = {
            mark for role in ("user", "tool") if (mark := _between(tokenizer, role)) and re.search(r"\w", mark)
        }

    def found(self, text: str) -> bool:
        """Return whether a response contains a further turn."""
        return shows_turn(text) or any(mark in text for mark in self._between)


def shows_turn(text: str) -> bool:
    """Return whether a response contains a further turn by the marks that need no chat template."""
    return bool(ROLE_LINE.search(text) or RESULTS.search(text))


def _between(tokenizer: Tokenizer, role: str) -> str:
    """Return the text between a response and the next turn, without control tokens; empty if it cannot be told."""
    roles = ("user", "assistant", role)
    messages = [{"role": each, "content": content} for each, content in zip(roles, CONTENTS, strict=True)]
    try:
        text = tokenizer.decode(tokenizer.encode_chat(messages))
    except OddError:
        return ""
    _, said, rest = text.partition(CONTENTS[1])
    between, more, _ = rest.partition(CONTENTS[2])
    return between if said and more and "\n" in between else ""


def is_padding(tokens: Sequence[int], tokenizer: Tokenizer) -> bool:
    """Return whether the tokens after an end token are padding: one token again and again, which writes nothing."""
    return not tokens or (len(set(tokens)) == 1 and not tokenizer.decode(tokens[:1]).strip())
