"""A transformers tokenizer: chat templates, control tokens, and the bytes of single tokens."""

import re
from collections.abc import Mapping, Sequence

from transformers import PreTrainedTokenizerBase

from odd.errors import OddError
from odd.models.base import Message
from odd.models.transformers.renderer import Renderer
from odd.models.transformers.rendering import Unrenderable
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
    """

    def __init__(
        self,
        name: str,
        tokenizer: PreTrainedTokenizerBase,
        end_tokens: frozenset[int],
        thinking: bool = False,
        marks: Sequence[str] = (),
    ) -> None:
        """Store the tokenizer and collect its control tokens."""
        self.name, self.tokenizer, self.end_tokens, self.thinking = name, tokenizer, end_tokens, thinking
        self._renderer = Renderer()
        self._added = frozenset(tokenizer.added_tokens_decoder)
        self._control = tuple(str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
        special = {token: str(entry) for token, entry in tokenizer.added_tokens_decoder.items() if entry.special}
        self._hidden = frozenset(token for token, text in special.items() if text not in {*THINKING, *marks})
        self._thinking_is_special = len(self._hidden) < len(special)
        self._byte_level = "ByteLevel" in str(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None))

    def render_chat(self, messages: Sequence[Message]) -> str:
        """Render the messages in the model's chat format, up to the start of the response.

        Control tokens inside a message are broken up: responses in a prompt must not end a turn or start one.

        Raises:
            OddError: the template rejects the messages, as some do if roles do not alternate; it fails, or exceeds a
                limit; or it cannot be rendered safely here.
        """
        turns = [{**message, "content": self._disarmed(message["content"])} for message in messages]
        # templates without a thinking mode ignore this variable, which comes from Qwen3
        variables = {**self.tokenizer.special_tokens_map, "enable_thinking": self.thinking}
        try:
            return self._renderer.render(self._template(), turns, variables)
        except Unrenderable as error:
            roles = ", ".join(turn["role"] for turn in turns)
            if error.rejected:
                problem = f"rejects messages of {roles} ({error}): ask without shots, or"
            else:
                problem = f"cannot be rendered for messages of {roles} ({error}):"
            raise OddError(
                f"model {self.name!r}: its chat template {problem} choose a model with a template that accepts them"
            ) from error

    def _template(self) -> object:
        """Return the chat template, as transformers chooses it if there are several.

        Raises:
            Unrenderable: there are several without a default.
        """
        try:
            return self.tokenizer.get_chat_template()
        except ValueError as error:
            raise Unrenderable(str(error)) from error

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

    @property
    def end_token(self) -> int:
        """The tokenizer's end-of-sequence token if it ends responses, else the lowest end token."""
        own = self.tokenizer.eos_token_id
        return own if isinstance(own, int) and own in self.end_tokens else min(self.end_tokens)

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
