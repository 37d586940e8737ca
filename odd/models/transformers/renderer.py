"""Client of `odd.models.transformers.rendering`, and the choice of where a template is rendered."""

import hashlib
import weakref
from collections.abc import Mapping
from datetime import date
from typing import Any

from odd.errors import OddError
from odd.models.transformers.rendering import LONGEST, WARM_UP, Turns, Unrenderable, checked, render
from odd.questions.process import PATIENCE, IsolatedProcess, Late, Unanswered

SECONDS = 20.0
"""Wall-clock seconds for rendering one prompt, which usually takes less than a millisecond."""
LONGEST_REPLY = 6 * LONGEST + 1000
"""Bytes of a reply: JSON takes up to six for a character."""
TRUSTED = frozenset(
    {
        "94d754f89b5c462771bdd267b01a769ab6c028d5e077e0ade4e9f837c248e31d",  # the tiny family
        "872be49dbb638044ad01b60388f48d469ff2980e5f0dccdc22ec907db54d0788",  # smollm2
    }
)
"""SHA-256 digests of the templates of the embedded models, which are rendered without another process."""


UNDATED = date(2000, 1, 1)
"""Date for templates that show none."""


class Renderer:
    """Renders the chat template of one model, in a process of its own unless the template comes with ODD.

    The process is kept until this object is gone, so that a prompt costs no new process.
    """

    def __init__(self) -> None:
        self._process = IsolatedProcess("odd.models.transformers.rendering")
        weakref.finalize(self, self._process.end)

    def render(self, template: Any, messages: Turns, variables: Mapping[str, Any], day: date = UNDATED) -> str:
        """Render messages, up to the start of the response.

        Args:
            template: the Jinja template.
            messages: messages with role and content.
            variables: further variables of the template, such as special tokens.
            day: date that the template sees as today's; those of the embedded models ask for none.

        Raises:
            Unrenderable: the template fails, takes too long or too much memory, or its result cannot be a prompt.
            OddError: a process cannot be confined here.
        """
        if is_trusted(template):
            return render(template, messages, variables)
        request = {"template": template, "messages": messages, "variables": variables, "day": day.isoformat()}
        try:
            if not self._process.is_running:  # loading libraries does not count as rendering
                self._process.exchange(WARM_UP, PATIENCE)
            reply = self._process.exchange(request, SECONDS, LONGEST_REPLY)
        except Late:
            raise Unrenderable(f"it does not end within {SECONDS:.0f} s") from None
        except Unanswered:
            raise Unrenderable("it ended the process in which it was rendered") from None
        return _text(reply)


def _text(reply: Any) -> str:
    """Return the text in a reply, which a template may have forged."""
    if not isinstance(reply, dict):
        raise Unrenderable("its process gave no reply")
    if "broken" in reply:
        raise OddError(f"chat templates cannot be rendered on this machine: {reply['broken']}")
    if "error" in reply:
        raise Unrenderable(str(reply["error"]), rejected=reply.get("rejected") is True)
    return checked(reply.get("text"))


def is_trusted(template: Any) -> bool:
    """Whether a template comes with ODD."""
    return isinstance(template, str) and hashlib.sha256(template.encode(errors="replace")).hexdigest() in TRUSTED
