"""Rendering of chat templates, also in a separate process for those that are not trusted.

A template is a program by whoever made the model. Jinja's sandbox, in which transformers renders it, keeps it from
Python and from files, but not from endless loops, from any amount of memory, or from raising any exception. So
`odd.models.transformers.renderer` starts this module, which confines itself (`odd.questions.sandbox`), then renders one
prompt per line of JSON for as long as its model is in use. Templates that come with ODD are rendered in the program.
"""

import json
import os
import signal
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import Environment, TemplateError, TemplateSyntaxError
from transformers.utils import chat_template_utils
from transformers.utils.chat_template_utils import render_jinja_template

from odd.questions.sandbox import confine, preload

LONGEST = 10_000_000
"""Characters of a prompt, beyond any model's context window."""
MEMORY = 1 << 30
"""Bytes of address space of the process; the libraries take 140 MB of it."""
LONGEST_MESSAGE = 200
"""Characters of an error message that are kept."""
WARM_UP = {
    "template": "{{ messages | tojson }}{{ strftime_now('%d %B') }}",
    "messages": [{"role": "user", "content": ""}],
    "variables": {},
    "day": "2000-01-01",
}
"""A request that loads what templates need."""


Turns = Sequence[Mapping[str, Any]]
"""Messages with role and content; a content is a text, or parts with the type text."""


class Unrenderable(Exception):
    """A template cannot be rendered.

    Attributes:
        rejected: whether the template itself says so, as some do if roles do not alternate.
    """

    def __init__(self, message: str, rejected: bool = False) -> None:
        super().__init__(" ".join(message.split())[:LONGEST_MESSAGE])
        self.rejected = rejected


class RunClock:
    """Stands for `datetime` where transformers asks for the time on behalf of a template: midnight of the run's day."""

    day = datetime.min

    @classmethod
    def now(cls) -> datetime:
        """Return the time that templates see."""
        return cls.day


def render(template: Any, messages: Turns, variables: Mapping[str, Any]) -> str:
    """Render messages as `apply_chat_template` of transformers does.

    Args:
        template: the Jinja template.
        messages: messages with role and content.
        variables: further variables of the template, such as special tokens. Unless `add_generation_prompt` among them
            is False, the text ends with the start of the response.

    Raises:
        Unrenderable: the template fails, or its result is not a text that can be a prompt.
    """
    rows = [dict(message) for message in messages]
    given = {"add_generation_prompt": True, **variables}
    try:
        (text,), _ = render_jinja_template([rows], chat_template=template, **given)
    except TemplateSyntaxError as error:
        raise Unrenderable(f"it is not valid Jinja: {error}") from error
    except TemplateError as error:
        if type(error) is TemplateError:  # raised by the template itself
            raise Unrenderable(str(error), rejected=True) from error
        raise Unrenderable(f"{type(error).__name__}: {error}") from error
    except Exception as error:  # the code of a template may raise anything
        raise Unrenderable(f"{type(error).__name__}: {error}") from error
    return checked(text)


def checked(text: Any) -> str:
    """Return a rendered text.

    Raises:
        Unrenderable: it is not a text, is too long, or is not valid Unicode.
    """
    if not isinstance(text, str):
        raise Unrenderable("its result is not a text")
    if len(text) > LONGEST:
        raise Unrenderable(f"its result has {len(text):,} characters, more than {LONGEST:,}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unrenderable("its result is not valid Unicode") from None
    return text


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    RunClock.day = datetime.fromisoformat(request["day"])
    try:
        return {"text": render(request["template"], request["messages"], request["variables"])}
    except Unrenderable as error:
        return {"error": str(error), "rejected": error.rejected}


def _raise_again(self: Environment, source: str | None = None) -> NoReturn:
    """Raise the exception being handled; instead of Jinja's method, which makes tracebacks by means refused here."""
    raise


def main() -> None:
    """Answer requests until stdin closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client handles Ctrl-C; its exit closes our stdin
    requests, replies = os.dup(0), os.dup(1)
    Environment.handle_exception = _raise_again
    chat_template_utils.datetime = RunClock  # pyright: ignore[reportPrivateImportUsage]
    time.localtime()  # reads the time zone, which templates ask for and a confined process cannot read
    _answer(WARM_UP)
    preload()
    reply: dict[str, Any] = {}
    try:
        confine(None, requests, replies, memory=MEMORY)
    except Exception as error:
        reply = {"broken": f"{type(error).__name__}: {error}"}
    with open(requests, "rb") as lines:
        for line in lines:
            answer = json.dumps(reply or _answer(json.loads(line)), ensure_ascii=False).encode() + b"\n"
            while answer:
                answer = answer[os.write(replies, answer) :]


if __name__ == "__main__":
    main()
