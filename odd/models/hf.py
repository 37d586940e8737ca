"""Any causal language model of transformers, by local path or hub name, on CPU or CUDA.

Sampling computes every distinct prefix once, shares its cache among the rollouts that continue it, lets finished
rollouts leave the batch, and keeps the log-probabilities it drew with. Each rollout has its own row of uniforms, so
what it draws does not depend on when its neighbours end.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from odd.config import ModelConfig
from odd.errors import OddError
from odd.models.base import Capabilities, Generation, Message

# a batch is shrunk once this share of its rows has ended: shrinking copies the whole cache
SHRINK_AT = 0.85


class HFModel:
    """A transformers model with its tokenizer, as sampler and scorer."""

    def __init__(self, name: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        """Wrap a loaded model; `name` is how the user called it."""
        self.name = name
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.end_tokens = _end_tokens(model, tokenizer)

    @classmethod
    def load(cls, config: ModelConfig, location: str | Path | None = None) -> "HFModel":
        """Load from `location` (an embedded model's folder) or from `config.name`, a local path or hub name.

        Raises:
            OddError: there is no such model, it has no chat template, or the device is missing.
        """
        place = str(location or config.name)
        transformers_logging.disable_progress_bar()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tokenizer = AutoTokenizer.from_pretrained(place)
                model = AutoModelForCausalLM.from_pretrained(place, dtype=getattr(torch, config.dtype))
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise OddError(
                f"model {config.name!r} could not be loaded ({reason[:160]}): give an embedded model "
                "(python -m odd models), a folder saved by save_pretrained, or a hub name that this machine can reach"
            ) from error
        if tokenizer.chat_template is None:
            raise OddError(f"model {config.name!r} has no chat template: set one with its tokenizer and save it again")
        try:
            model = model.to(config.device)
        except (RuntimeError, AssertionError) as error:
            raise OddError(
                f"device {config.device!r} cannot be used ({str(error).splitlines()[0]}): set device to 'cpu' or 'cuda'"
            ) from error
        return cls(config.name, model, tokenizer)

    @property
    def capabilities(self) -> Capabilities:
        """Whole vocabulary, log-probabilities kept from sampling."""
        return Capabilities(
            vocabulary_size=self.model.config.vocab_size,
            max_context=getattr(self.model.config, "max_position_embeddings", None),
            full_vocabulary=True,
            sampled_log_probs=True,
        )

    def render_chat(self, messages: Sequence[Message]) -> str:
        """The messages in the model's own chat format, ready for the response."""
        return self.tokenizer.apply_chat_template(
            [dict(message) for message in messages], tokenize=False, add_generation_prompt=True
        )

    def encode_chat(self, messages: Sequence[Message]) -> list[int]:
        """Token ids of `render_chat`."""
        return self.tokenizer(self.render_chat(messages), add_special_tokens=False)["input_ids"]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a response, without control tokens."""
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=True)

    def is_end(self, token: int) -> bool:
        """Whether a response ends with this token."""
        return token in self.end_tokens

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; byte-level tokenizers split characters, so these need not be valid UTF-8."""
        piece = self.tokenizer.convert_ids_to_tokens(token)
        if piece is None:
            return b""
        if piece not in self.tokenizer.all_special_tokens and all(character in BYTE_OF for character in piece):
            return bytes(BYTE_OF[character] for character in piece)
        return self.tokenizer.decode([token]).encode()

    def vocabulary(self) -> Mapping[str, int]:
        """Token strings and their ids."""
        return self.tokenizer.get_vocab()

    @torch.inference_mode()
    def log_probs(self, prompt: Sequence[int], response: Sequence[int], temperature: float = 1.0) -> np.ndarray:
        """Log-softmax in float32, shape (T, V): one forward pass over the prompt and the response."""
        ids = torch.tensor([[*prompt, *response[:-1]]], device=self.model.device)
        logits = self.model(input_ids=ids, use_cache=False, logits_to_keep=len(response)).logits[0].float()
        return torch.log_softmax(logits / temperature, dim=-1).cpu().numpy()

    @torch.inference_mode()
    def sample(
        self, prefixes: Sequence[Sequence[int]], max_new_tokens: Sequence[int], temperature: float, seed: int
    ) -> list[Generation]:
        """One continuation of each prefix; see `odd.models.base.Sampler`."""
        generator = torch.Generator().manual_seed(seed)
        uniforms = torch.rand(len(prefixes), max(max_new_tokens), generator=generator)
        batch = _Batch(self.model, prefixes, temperature)
        limits = list(max_new_tokens)
        tokens: list[list[int]] = [[] for _ in prefixes]
        log_probs: list[list[float]] = [[] for _ in prefixes]
        ended = [False] * len(prefixes)
        step = 0
        while batch.rows:
            drawn, drawn_log_probs = batch.draw(uniforms[batch.rows, step].to(self.model.device))
            step += 1
            alive = []
            for i, (row, token, log_prob) in enumerate(zip(batch.rows, drawn.tolist(), drawn_log_probs.tolist(), strict=True)):
                if ended[row] or step > limits[row]:
                    continue
                tokens[row].append(token)
                log_probs[row].append(log_prob)
                ended[row] = token in self.end_tokens
                if not ended[row] and step < limits[row]:
                    alive.append(i)
            if not alive:
                break
            if len(alive) <= SHRINK_AT * len(batch.rows):
                batch.keep(alive)
                drawn = drawn[alive]
            batch.advance(drawn)
        return [
            Generation(tuple(ids), np.array(values, dtype=np.float32), truncated=not end)
            for ids, values, end in zip(tokens, log_probs, ended, strict=True)
        ]


class _Batch:
    """Rollouts in flight: their cache, and the log-probabilities of each one's next token."""

    def __init__(self, model: PreTrainedModel, prefixes: Sequence[Sequence[int]], temperature: float) -> None:
        self.model, self.temperature = model, temperature
        self.rows = list(range(len(prefixes)))
        distinct = list(dict.fromkeys(tuple(prefix) for prefix in prefixes))
        width = max(len(prefix) for prefix in distinct)
        ids = torch.zeros(len(distinct), width, dtype=torch.long)
        self.mask = torch.zeros(len(distinct), width, dtype=torch.long)
        for i, prefix in enumerate(distinct):  # padded on the left, so that all next tokens stand in one column
            ids[i, width - len(prefix) :] = torch.tensor(prefix)
            self.mask[i, width - len(prefix) :] = 1
        self.mask = self.mask.to(model.device)
        self.cache = DynamicCache(config=model.config)
        self._forward(ids.to(model.device), (self.mask.cumsum(-1) - 1).clamp(min=0))
        place = {prefix: i for i, prefix in enumerate(distinct)}
        self.keep([place[tuple(prefix)] for prefix in prefixes], first=True)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> None:
        logits = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        self.log_probs = torch.log_softmax(logits.float() / self.temperature, dim=-1)

    def keep(self, indices: list[int], first: bool = False) -> None:
        """Go on with these rows only (repeats allowed): those that ended leave the batch."""
        chosen = torch.tensor(indices, device=self.mask.device)
        self.cache.reorder_cache(chosen)
        self.mask, self.log_probs = self.mask[chosen], self.log_probs[chosen]
        if not first:
            self.rows = [self.rows[i] for i in indices]

    def draw(self, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Next tokens by the inverse of the cumulative distribution, and their log-probabilities."""
        cumulative = self.log_probs.double().exp().cumsum(-1)
        targets = uniforms.double()[:, None] * cumulative[:, -1:]
        drawn = torch.searchsorted(cumulative, targets, right=True).clamp(max=cumulative.shape[-1] - 1)
        return drawn[:, 0], self.log_probs.gather(-1, drawn)[:, 0]

    def advance(self, drawn: torch.Tensor) -> None:
        """Feed the drawn tokens."""
        positions = self.mask.sum(-1, keepdim=True)
        self.mask = torch.cat([self.mask, torch.ones_like(positions)], dim=-1)
        self._forward(drawn[:, None], positions)


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every token that ends a response according to the model's generation settings or its tokenizer."""
    ends: set[int] = set()
    for value in (getattr(model.generation_config, "eos_token_id", None), tokenizer.eos_token_id):
        ends.update(value if isinstance(value, list) else [] if value is None else [value])
    return frozenset(ends)


def _byte_of() -> dict[str, int]:
    """The inverse of GPT-2's printable stand-ins for bytes, which byte-level tokenizers use in their vocabularies."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(256 + i): byte for i, byte in enumerate(others)})
    return table


BYTE_OF = _byte_of()
