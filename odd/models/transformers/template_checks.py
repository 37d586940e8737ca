"""Checks of a chat template before anything is sampled: that responses end, and that thinking can be enabled."""

import re

from odd.errors import OddError
from odd.models.transformers.rendering import Unrenderable
from odd.models.transformers.templates import PROBE, template_of, thinking_names
from odd.models.transformers.tokenizer import TransformersTokenizer
from odd.questions.thinking import ends_in_thinking

MARK = re.compile(r"<[^\s<>]{1,40}>")
"""What looks like a control token."""
ASKED = [{"role": "user", "content": PROBE}]


def check_end(tokenizer: TransformersTokenizer) -> None:
    """Check that the token with which the chat template closes a response ends it.

    Otherwise a model that was trained with the template never stops: all its rollouts would be truncated.

    Raises:
        OddError: it does not, or it is no token at all.
    """
    end, mark = tokenizer.turn_end, MARK.match(tokenizer.turn_closing)
    ends = [tokenizer.token_bytes(token).decode(errors="replace") for token in tokenizer.end_tokens]
    if mark is not None and mark[0] not in tokenizer.vocabulary() and not any(text in mark.string for text in ends):
        raise OddError(
            f"model {tokenizer.name!r}: its chat template closes turns with {mark[0]!r}, which is not a token of its "
            "tokenizer, so nothing ends a response: give it the template and tokenizer that it was trained with"
        )
    if end is not None and end not in tokenizer.end_tokens:
        raise OddError(
            f"model {tokenizer.name!r}: its chat template closes turns with {tokenizer.tokenizer.decode([end])!r} "
            f"(token {end}), which does not end a response: set eos_token_id in its generation_config.json to "
            f"{sorted({*tokenizer.end_tokens, end})}"
        )


def check_thinking(tokenizer: TransformersTokenizer) -> None:
    """Check that a thinking mode that is asked for changes the prompt, unless the prompt opens a thinking part anyway.

    Raises:
        OddError: it has no effect; the message names variables of the template that have one.
    """
    if not tokenizer.thinking:
        return
    variable = tokenizer.thinking_variable
    try:
        text = tokenizer.rendered(ASKED)
        if text != tokenizer.rendered(ASKED, **{variable: False}) or ends_in_thinking(text):
            return
    except Unrenderable:  # reported with the first question
        return
    template = template_of(tokenizer.tokenizer.chat_template)
    others = [name for name in thinking_names(template) if name != variable and _has_effect(tokenizer, name, text)]
    found = f"; it has {', '.join(others)}" if others else ""
    remedy = f"set thinking_variable={others[0]}, or " if others else ""
    raise OddError(
        f"model {tokenizer.name!r}: thinking is set, but its chat template has no {variable}{found}: "
        f"{remedy}leave thinking out (as in --set student.thinking=false)"
    )


def _has_effect(tokenizer: TransformersTokenizer, name: str, text: str) -> bool:
    """Whether a variable that is true changes a prompt."""
    try:
        return tokenizer.rendered(ASKED, **{name: True}) != text
    except Unrenderable:
        return True
