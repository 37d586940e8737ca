"""The part of a response in which a model thinks; what stands there is never its answer."""

import re

PAIRS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought", "<channel|>"),
    ("<unused94>thought", "<unused95>"),
)
"""Marks that open and close a thinking part in the templates of known models."""
Marks = tuple[str, str]
"""Further marks that a user names."""
FINAL = "<|channel|>final<|message|>"
"""What opens the answer of models that write into channels."""
CHANNEL = re.compile(r"\A\s*(?:<\|start\|>assistant)?<\|channel\|>")
DECODED = re.compile(r"\Aanalysis(?=[A-Z0-9*#\"'(]|\Z)")
"""Begin of the first channel after decoding without control tokens: no space follows, so no sentence begins so."""
DECODED_FINAL = "assistantfinal"


def after_thinking(text: str, inside: bool = False, marks: Marks | None = None) -> str:
    """Return the text after the thinking part of a response; empty if the thinking part was never closed.

    Args:
        text: the response.
        inside: whether the prompt has already opened the thinking part, as some chat templates do.
        marks: marks of a thinking part beside the usual ones.
    """
    pairs = _pairs(marks)
    if CHANNEL.match(text):
        return text.rpartition(FINAL)[2] if FINAL in text else ""
    if DECODED.match(text):
        return text.rpartition(DECODED_FINAL)[2] if DECODED_FINAL in text else ""
    closed = [text.rfind(ends) + len(ends) for _, ends in pairs if ends in text]
    rest = text[max(closed, default=0) :]
    return "" if any(opens in rest for opens, _ in pairs) or (inside and not closed) else rest


def ends_in_thinking(prompt: str, marks: Marks | None = None) -> bool:
    """Whether a rendered prompt ends inside a thinking part, with `marks` beside the usual ones."""
    return prompt.rstrip().endswith(tuple(opens for opens, _ in _pairs(marks)))


def _pairs(marks: Marks | None) -> tuple[Marks, ...]:
    return PAIRS if marks is None else (*PAIRS, marks)
