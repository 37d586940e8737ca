"""A transformers tokenizer: chat templates, control tokens, and the bytes of single tokens."""

import copy
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from transformers import PreTrainedTokenizerBase

from odd.config.models import THINKING_VARIABLE
from odd.errors import OddError
from odd.models.base import Message
from odd.models.transformers.renderer import Renderer
from odd.models.transformers.rendering import Turns, Unrenderable
from odd.models.transformers.templates import (
    PROBE,
    date_formats,
    how_to_ask,
    in_parts,
    left_out,
    shows_parts,
    template_of,
)
from odd.questions.thinking import PAIRS

THINKING = frozenset(mark for pair in PAIRS for mark in pair)


class TransformersTokenizer:
    """A tokenizer with the chat template of its model.

    Args:
        name: name of the model, as given by the user.
        tokenizer: transformers tokenizer.
        end_tokens: ids of the tokens that end a response.
        thinking: whether to enable the thinking mode of templates that have one.
        marks: marks of a thinking part beside the usual ones.
        thinking_variable: name of the variable that enables the thinking mode.
    """

    def __init__(
        self,
        name: str,
        tokenizer: PreTrainedTokenizerBase,
        end_tokens: frozenset[int],
        thinking: bool = False,
        marks: Sequence[str] = (),
        thinking_variable: str = THINKING_VARIABLE,
    ) -> None:
        """Store the tokenizer and collect its control tokens."""
        self.name, self.tokenizer, self.end_tokens, self.thinking = name, tokenizer, end_tokens, thinking
        self.thinking_variable, self.day = thinking_variable, datetime.now(UTC).date()
        self._renderer = Renderer()
        self._added = {token: str(entry) for token, entry in tokenizer.added_tokens_decoder.items()}
        self._control = tuple(str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
        special = {token: str(entry) for token, entry in tokenizer.added_tokens_decoder.items() if entry.special}
        self._hidden = frozenset(token for token, text in special.items() if text not in {*THINKING, *marks})
        self._thinking_is_special = len(self._hidden) < len(special)
        self._byte_level = "ByteLevel" in str(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None))

    def dated(self, day: date) -> "TransformersTokenizer":
        """Return this tokenizer with the date that templates see as today's; UTC's at first."""
        other = copy.copy(self)
        other.day = day
        return other

    @property
    def date_formats(self) -> tuple[str, ...]:
        """The formats in which the chat template shows the date."""
        try:
            return date_formats(template_of(self.tokenizer.chat_template))
        except ValueError:
            return ()

    def render_chat(self, messages: Sequence[Message]) -> str:
        """Render the messages in the model's chat format, up to the start of the response.

        Contents are texts, or lists of one part for templates that leave out texts. Control tokens inside a message
        are broken up: responses in a prompt must not end a turn or start one.

        Raises:
            OddError: the template rejects the messages, as some do if roles do not alternate; it leaves a message out;
                it fails, or exceeds a limit; or it cannot be rendered safely here.
        """
        turns = [{**message, "content": self._disarmed(message["content"])} for message in messages]
        problem = ""
        for form in (turns, in_parts(turns)):
            try:
                text = self.rendered(form)
            except Unrenderable as error:
                problem = problem or self._refusal(turns, error)
                continue
            missing = left_out(turns, text)
            if missing is None and (form is turns or not shows_parts(text)):
                return text
            what = f"leaves {missing}" if text else "gives an empty prompt"
            problem = problem or f"{what}: correct it, or choose a model with a template that keeps all messages"
        raise OddError(f"model {self.name!r}: its chat template {problem}")

    def _refusal(self, turns: Sequence[Message], error: Unrenderable) -> str:
        """Return the line about a template that cannot be rendered."""
        roles = ", ".join(turn["role"] for turn in turns)
        if error.rejected:
            return (
                f"rejects messages of {roles} ({error}): {how_to_ask(turns)}choose a model with a "
                "template that accepts them"
            )
        return (
            f"cannot be rendered for messages of {roles} ({error}): correct it in "
            "chat_template.jinja or tokenizer_config.json, or choose another model"
        )

    def rendered(self, turns: Turns, **variables: Any) -> str:
        """Return what the template makes of messages.

        Raises:
            Unrenderable: the template fails or exceeds a limit.
            OddError: there are several without a default, or a template cannot be rendered safely here.
        """
        # templates without a thinking mode ignore its variable, which comes from Qwen3
        given = {**self.tokenizer.special_tokens_map, self.thinking_variable: self.thinking, **variables}
        try:
            template = template_of(self.tokenizer.chat_template)
        except ValueError as error:
            raise OddError(
                f"model {self.name!r}: its chat template is not clear, {error}: save the one to use as "
                "chat_template.jinja in the model's folder"
            ) from error
        return self._renderer.render(template, turns, given, self.day)

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Return the token ids of `render_chat`.

        Raises:
            OddError: as for `render_chat`, or the prompt has no tokens.
        """
        token_ids = list(self.tokenizer(self.render_chat(messages), add_special_tokens=False)["input_ids"])
        if not token_ids:
            raise OddError(
                f"model {self.name!r}: its chat template gives an empty prompt: choose a model whose template contains "
                "the messages"
            )
        return token_ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of a response, without control tokens except those that mark a thinking part."""
        if self._thinking_is_special:
            shown = [token for token in token_ids if token not in self._hidden]
            return str(self.tokenizer.decode(shown, skip_special_tokens=False, clean_up_tokenization_spaces=False))
        # cleaning up would remove spaces that the model generated
        return str(self.tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a response text, without an end token."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @cached_property
    def turn_closing(self) -> str:
        """What the chat template writes after a response, without spaces around it; empty if it writes nothing."""
        turns = [{"role": "user", "content": PROBE}, {"role": "assistant", "content": PROBE}]
        for form in (turns, in_parts(turns)):
            try:
                text = self.rendered(form, add_generation_prompt=False)
            except Unrenderable:  # whether the prompts of the questions can be rendered is another matter
                continue
            before, _, after = text.rpartition(PROBE)
            if PROBE in before and not shows_parts(text):
                return after.strip()
        return ""

    @property
    def turn_end(self) -> int | None:
        """The control token with which the chat template closes a response; None if it closes it with none.

        Of several in a row, it is the first one that ends a response.
        """
        closing = self._control_tokens_at_start(self.turn_closing)
        return next((token for token in closing if token in self.end_tokens), next(iter(closing), None))

    def _control_tokens_at_start(self, text: str) -> list[int]:
        """Return the ids of the added tokens that a text starts with, spaces between them aside."""
        found: list[int] = []
        pieces = {token: piece.strip() for token, piece in self._added.items() if piece.strip()}
        while starting := [token for token, piece in pieces.items() if text.lstrip().startswith(piece)]:
            found.append(max(starting, key=lambda token: len(pieces[token])))
            text = text.lstrip()[len(pieces[found[-1]]) :]
        return found

    @property
    def end_token(self) -> int:
        """The end token with which the chat template closes a response.

        If it closes it with none, the tokenizer's end-of-sequence token if it ends responses, else the lowest.
        """
        for token in (self.turn_end, self.tokenizer.eos_token_id):
            if isinstance(token, int) and token in self.end_tokens:
                return token
        return min(self.end_tokens)

    def is_end(self, token: int) -> bool:
        """Return whether this token ends a response."""
        return token in self.end_tokens

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token; tokenizers split characters, so these need not be valid UTF-8.

        The leading space of SentencePiece is kept, although `decode` drops it.
        """
        piece = self.tokenizer.convert_ids_to_tokens(token)
        if not isinstance(piece, str):  # an id without a token
            return b""
        if token in self._added:  # added tokens are literal text in every tokenizer
            return piece.encode()
        if self._byte_level:
            known = all(character in BYTE_OF for character in piece)
            return bytes(BYTE_OF[character] for character in piece) if known else piece.encode()
        byte = re.fullmatch(r"<0x([0-9A-F]{2})>", piece)
        return bytes.fromhex(byte[1]) if byte else piece.replace("\u2581", " ").encode()

    def vocabulary(self) -> Mapping[str, int]:
        """Return token strings and their ids."""
        return self.tokenizer.get_vocab()

    def _disarmed(self, content: str) -> str:
        for token in self._control:
            content = content.replace(token, f"{token[0]} {token[1:]}")
        return content


def _byte_of() -> dict[str, int]:
    """Invert GPT-2's mapping of bytes to printable characters, which byte-level tokenizers use in vocabularies."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(256 + i): byte for i, byte in enumerate(others)})
    return table


BYTE_OF = _byte_of()
