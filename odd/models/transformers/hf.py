"""Any causal language model of transformers, by local path or hub name, on CPU or CUDA.

Sampling keeps the log-probabilities it drew with. Each rollout has its own row of uniforms, so what it draws does not
depend on when its neighbours end.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jinja2 import TemplateError
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from odd.config import SCORING_MEMORY, ModelConfig
from odd.errors import OddError
from odd.method.tree import distinct_places, shared_length
from odd.models.base import Capabilities, Generation, Message, check_window
from odd.models.transformers.batch import Rows, log_softmax
from odd.models.transformers.flight import Flight, fits
from odd.models.transformers.loading import load_pretrained, model_digest
from odd.models.transformers.prefix_tree import PrefixTree, Tokens, prefix_trees
from odd.models.transformers.reading import Reader

THINKING = ("<think>", "</think>")
_log = logging.getLogger(__name__)


class HFModel:
    """A transformers model with its tokenizer, as sampler and scorer."""

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        thinking: bool = False,
        scoring_memory: int = SCORING_MEMORY,
    ) -> None:
        """Wrap a loaded model; `name` is how the user called it, `thinking` switches on what its template may have.

        `scoring_memory`: MiB of logits that are held at a time.

        Raises:
            OddError: no token ends a response.
        """
        self.name, self.thinking, self.scoring_memory = name, thinking, scoring_memory
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.end_tokens = _end_tokens(model, tokenizer)
        self.digest = model_digest(model, tokenizer)
        if not self.end_tokens:
            raise OddError(f"model {name!r} has no end-of-sequence token: set eos_token_id in its generation_config")
        settings = model.config.get_text_config()
        # Embeddings are often padded, to other sizes in members of one family. What names no token is left out of
        # all distributions, so that student and teacher speak of the same V tokens.
        size = min(settings.vocab_size, max(tokenizer.get_vocab().values()) + 1)
        window = getattr(settings, "max_position_embeddings", None)
        self._capabilities = Capabilities(size, window, full_vocabulary=True, sampled_log_probs=True)
        self._added = frozenset(tokenizer.added_tokens_decoder)
        self._control = tuple(str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
        special = {token: str(entry) for token, entry in tokenizer.added_tokens_decoder.items() if entry.special}
        self._hidden = frozenset(token for token, text in special.items() if text not in THINKING)
        self._thinking_is_special = len(self._hidden) < len(special)
        self._byte_level = "ByteLevel" in str(getattr(getattr(tokenizer, "backend_tokenizer", None), "decoder", None))

    @classmethod
    def load(cls, config: ModelConfig, location: str | Path | None = None) -> "HFModel":
        """Load from `location` (an embedded model's folder) or from `config.name`, a local path or hub name.

        Raises:
            OddError: there is no such model, it is incomplete, it has no chat template or no end token, or the
                device is missing.
        """
        model, tokenizer = load_pretrained(config, str(location or config.name))
        return cls(config.name, model, tokenizer, config.thinking, config.scoring_memory)

    @property
    def capabilities(self) -> Capabilities:
        """Whole vocabulary, log-probabilities kept from sampling."""
        return self._capabilities

    def render_chat(self, messages: Sequence[Message]) -> str:
        """The messages in the model's own chat format, ready for the response.

        Control tokens that stand in a message are taken apart: shown responses must not end a turn or begin one.

        Raises:
            OddError: the format refuses them, as some do with roles that do not alternate.
        """
        turns = [{**message, "content": self._disarmed(message["content"])} for message in messages]
        try:
            # templates without a thinking mode do not look at the variable, which is Qwen3's
            return str(
                self.tokenizer.apply_chat_template(
                    turns, tokenize=False, add_generation_prompt=True, enable_thinking=self.thinking
                )
            )
        except TemplateError as error:
            roles = ", ".join(turn["role"] for turn in turns)
            raise OddError(
                f"model {self.name!r}: its chat template refuses messages of {roles} ({error}): "
                "ask without shots, or choose a model whose template takes them"
            ) from error

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of `render_chat`."""
        return list(self.tokenizer(self.render_chat(messages), add_special_tokens=False)["input_ids"])

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a response, without control tokens, but with those that mark a thinking part."""
        if self._thinking_is_special:
            shown = [token for token in token_ids if token not in self._hidden]
            return str(self.tokenizer.decode(shown, skip_special_tokens=False, clean_up_tokenization_spaces=False))
        # cleaning up would move spaces that the model wrote
        return str(self.tokenizer.decode(list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def encode(self, text: str) -> list[int]:
        """Token ids of a response's text, without an end token."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    @property
    def end_token(self) -> int:
        """The tokenizer's end-of-sequence token where it ends responses, else the lowest that does."""
        own = self.tokenizer.eos_token_id
        return own if isinstance(own, int) and own in self.end_tokens else min(self.end_tokens)

    def is_end(self, token: int) -> bool:
        """Whether a response ends with this token."""
        return token in self.end_tokens

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; tokenizers split characters, so these need not be valid UTF-8.

        The space with which SentencePiece starts a text is kept, though `decode` leaves it out.
        """
        piece = self.tokenizer.convert_ids_to_tokens(token)
        if not isinstance(piece, str):  # an id that names no token
            return b""
        if token in self._added:  # these stand for themselves, whatever the tokenizer
            return piece.encode()
        if self._byte_level:
            known = all(character in BYTE_OF for character in piece)
            return bytes(BYTE_OF[character] for character in piece) if known else piece.encode()
        byte = re.fullmatch(r"<0x([0-9A-F]{2})>", piece)
        return bytes.fromhex(byte[1]) if byte else piece.replace("\u2581", " ").encode()

    def vocabulary(self) -> Mapping[str, int]:
        """Token strings and their ids."""
        return self.tokenizer.get_vocab()

    @torch.inference_mode()
    def log_probs(self, prompt: Sequence[int], response: Sequence[int], temperature: float = 1.0) -> np.ndarray:
        """Log-softmax in float32, shape (T, V): one forward pass over the prompt and the response.

        Raises:
            OddError: prompt and response exceed the model's window, or it gives no numbers.
        """
        size = self.capabilities.vocabulary_size
        if not response:  # to keep 0 logits would mean to keep all of them
            return np.empty((0, size), dtype=np.float32)
        check_window(self, f"model {self.name!r}", len(prompt), len(response))
        ids = torch.tensor([[*prompt, *response[:-1]]], device=self.model.device)
        logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=len(response)).logits[0, :, :size]
        return log_softmax(logits, temperature, self.name).cpu().numpy()

    @torch.inference_mode()
    def read(
        self, prompt: Sequence[int], responses: Sequence[Sequence[int]], temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Next-token distributions along responses; see `odd.models.base.Scorer`.

        Raises:
            OddError: prompt and a response exceed the model's window, or it gives no numbers.
        """
        rows = [tuple(response) for response in responses]
        if not self._shares_prompts:
            for number, places in groupby(distinct_places(rows), key=lambda place: place[0]):
                yield self.log_probs(prompt, rows[number], temperature)[[position for _, position in places]]
            return
        before: Tokens = ()
        for reader, tree in self._trees(prompt, rows):
            first, *_, last = *tree.rows, *tree.rows
            # a tree repeats what its first response shares with the one before
            known = min(shared_length(before, first) + 1, len(before)) if before else 0
            for places, logits in reader.slices(tree):
                fresh = max(0, known - places.start)
                if fresh < len(logits):
                    yield log_softmax(logits[fresh:], temperature, self.name).cpu().numpy()
            before = last

    @property
    def room(self) -> int:
        """Distributions whose logits are held at a time."""
        return max(1, (self.scoring_memory << 20) // (4 * self.capabilities.vocabulary_size))

    def _trees(self, prefix: Sequence[int], rows: Sequence[Tokens]) -> Iterator[tuple[Reader, PrefixTree]]:
        """What is to be read of continuations of a prefix, and who has read the prefix."""
        check_window(self, f"model {self.name!r}", len(prefix), max(map(len, rows), default=0))
        trees = list(prefix_trees(rows))
        reader = Reader(
            self.model, self.name, self.capabilities.vocabulary_size, self.room, prefix, once=len(trees) == 1
        )
        for tree in trees:
            yield reader, tree

    @torch.inference_mode()
    def token_log_probs(
        self, prefix: Sequence[int], continuations: Sequence[Sequence[int]], temperatures: Sequence[float]
    ) -> list[np.ndarray]:
        """Log-probability of every token of each continuation; see `odd.models.base.Scorer`.

        Raises:
            OddError: the prefix and a continuation exceed the model's window, or it gives no numbers.
        """
        rows = [tuple(tokens) for tokens in continuations]
        if not self._shares_prompts:
            plain = [[self.log_probs(prefix, row, heat) for heat in temperatures] for row in rows]
            return [
                np.array([heated[np.arange(len(row)), list(row)] for heated in each]).reshape(len(temperatures), -1)
                for row, each in zip(rows, plain, strict=True)
            ]
        read: dict[Tokens, np.ndarray] = {(): np.empty((len(temperatures), 0), dtype=np.float32)}
        for reader, tree in self._trees(prefix, rows):
            read |= reader.token_log_probs(tree, temperatures)
        return [read[tokens] for tokens in rows]

    @torch.inference_mode()
    def sample(
        self,
        prefixes: Sequence[Sequence[int]],
        max_new_tokens: Sequence[int],
        temperature: float,
        seed: int,
        batch_size: int | None = None,
    ) -> list[Generation]:
        """One continuation of each prefix; see `odd.models.base.Sampler`.

        Raises:
            OddError: a prefix and its limit exceed the model's window, or the model gives no numbers.
        """
        if not prefixes:
            return []
        for prefix, limit in zip(prefixes, max_new_tokens, strict=True):
            check_window(self, f"model {self.name!r}", len(prefix), limit)
        generator = torch.Generator().manual_seed(seed)
        # doubles: single precision would never draw tokens rarer than one in 17 million
        uniforms = torch.rand(len(prefixes), max(max_new_tokens), generator=generator, dtype=torch.float64)
        sampler = Flight if self._shares_prompts else Rows
        flight = sampler(self.model, self.name, self.capabilities.vocabulary_size, self.end_tokens, temperature)
        return flight.run(prefixes, max_new_tokens, uniforms, batch_size or len(prefixes))

    @cached_property
    def _shares_prompts(self) -> bool:
        """Whether the fast ways to sample and to read fit the model; there are others that ask nothing of a model."""
        if fits(self.model, self.capabilities.vocabulary_size):
            return True
        _log.warning("model %r cannot share a prompt among its rollouts: it samples and scores more slowly", self.name)
        return False

    def _disarmed(self, content: str) -> str:
        for token in self._control:
            content = content.replace(token, f"{token[0]} {token[1:]}")
        return content


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every token that ends a response according to the model's generation settings or its tokenizer."""
    ends: set[int] = set()
    for value in (getattr(model.generation_config, "eos_token_id", None), tokenizer.eos_token_id):
        ends.update(cast(list[int], value if isinstance(value, list) else [] if value is None else [value]))
    return frozenset(ends)


def _byte_of() -> dict[str, int]:
    """The inverse of GPT-2's printable stand-ins for bytes, which byte-level tokenizers use in their vocabularies."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(256 + i): byte for i, byte in enumerate(others)})
    return table


BYTE_OF = _byte_of()
