"""Attention in two parts: over a prompt that all rows share, and over the continuation of each row.

The KV cache stores the prompt once. Continuations are written into preallocated buffers at a position per row, so a
batch can mix rows of different length without padding between prompt and continuation. This uses two extension points
of transformers: a cache with custom layers, and a registered attention function. It requires that a model passes the
return value of the cache unchanged to that function, as all models with transformers' attention interface do.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from transformers import AttentionInterface, Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import CacheLayerMixin, DynamicLayer

from odd.models.transformers.attention import attending_with
from odd.models.transformers.packing import packed

ATTENTION = "odd_shared_prompt"
GROWTH = 64
"""Minimum number of tokens by which the buffers of all rows grow."""


class Seen(NamedTuple):
    """Keys or values of one layer: those of the prompt (H, P, D), and those of each row (H, N, m, D)."""

    prompt: torch.Tensor
    own: torch.Tensor
    places: "Places"


class Places:
    """Cache positions of the tokens of one forward pass.

    Attributes:
        rows: rows of the cache, (N,); None: the first N.
        index: position of each token after the prompt, (N, T); negative for padding.
        prompt: number of tokens of the prompt, P.
        width: number of positions after the prompt that are attended to, m.
    """

    def __init__(self, rows: torch.Tensor | None, index: torch.Tensor, prompt: int, width: int) -> None:
        """Store the positions."""
        self.rows, self.index, self.prompt, self.width = rows, index, prompt, width
        self._hidden: dict[int | None, tuple[torch.Tensor | None, torch.Tensor]] = {}
        self._slots: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    @property
    def positions(self) -> torch.Tensor:
        """Position ids, (N, T)."""
        return (self.index + self.prompt).clamp(min=0)

    def slots(self, last: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return row (N, 1) and position (N, T) where each token is stored; padding goes to the `last` position."""
        if last not in self._slots:
            rows = torch.arange(len(self.index), device=self.index.device) if self.rows is None else self.rows
            self._slots[last] = rows[:, None], torch.where(self.index < 0, last, self.index)
        return self._slots[last]

    def hidden(self, window: int | None) -> tuple[torch.Tensor | None, torch.Tensor]:
        """Return masks of what each token must not attend to: prompt (N, 1, T, P) or None, and row (N, 1, T, m)."""
        if window not in self._hidden:
            self._hidden[window] = self._hidden_places(window)
        return self._hidden[window]

    def _hidden_places(self, window: int | None) -> tuple[torch.Tensor | None, torch.Tensor]:
        at, places = self.index[:, None, :, None], torch.arange(self.width, device=self.index.device)
        if window is None:
            return None, places > at
        of_prompt = torch.arange(self.prompt, device=self.index.device) <= at + self.prompt - window
        return of_prompt, (places > at) | (places <= at - window)


def read_prompt(model: PreTrainedModel, prompt: Sequence[int]) -> tuple[Cache, torch.Tensor]:
    """Prefill a prompt; return its KV cache of one row, and the logits after it, (1, V)."""
    cache = DynamicCache()
    ids = torch.tensor([list(prompt)], device=model.device)
    with packed(model):
        logits = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1).logits
    return cache, logits[:, -1]


class SharedPromptLayer(CacheLayerMixin):
    """KV cache of one layer."""

    def __init__(self, cache: "SharedPromptCache") -> None:
        """Start empty; `lazy_initialization` adds the prompt."""
        super().__init__()
        self.cache = cache

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Store the keys and values of the prompt, (1, H, P, D)."""
        (self.prompt_keys,), (self.prompt_values,) = key_states, value_states
        self.own_keys = key_states[0, :, None, :0].repeat(1, self.cache.rows, 1, 1)
        self.own_values = value_states[0, :, None, :0].repeat(1, self.cache.rows, 1, 1)
        self.is_initialized = True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Write keys and values (N, H, T, D) to their positions; return what the rows attend to."""
        places = self.cache.places
        if not self.is_initialized:
            self.lazy_initialization(key_states[:1, :, :0], value_states[:1, :, :0])
        self.own_keys, keys = self._written(self.own_keys, key_states, places)
        self.own_values, values = self._written(self.own_values, value_states, places)
        return Seen(self.prompt_keys, keys, places), Seen(self.prompt_values, values, places)

    def _written(self, room: torch.Tensor, states: torch.Tensor, places: Places) -> tuple[torch.Tensor, torch.Tensor]:
        needed = places.width + 1  # the last position is for padding
        if room.shape[2] < needed:
            grown = room.new_zeros(
                *room.shape[:2], max(needed, min(2 * room.shape[2], needed + 512)) + GROWTH, room.shape[3]
            )
            grown[:, :, : room.shape[2]] = room
            room = grown
        rows, index = places.slots(room.shape[2] - 1)
        room[:, rows, index] = states.transpose(0, 1)
        own = room[:, : len(states)] if places.rows is None else room[:, places.rows]
        return room, own[:, :, : places.width]

    def copy_rows(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` positions of the source rows to the target rows."""
        self.own_keys[:, target, :width] = self.own_keys[:, source, :width]
        self.own_values[:, target, :width] = self.own_values[:, source, :width]

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows except these."""
        self.own_keys, self.own_values = self.own_keys[:, rows], self.own_values[:, rows]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the number of tokens; masking is left to the attention function."""
        return self.get_seq_length() + query_length, 0

    def get_seq_length(self) -> int:
        """Return the number of tokens of the shared prompt."""
        return self.prompt_keys.shape[1] if self.is_initialized else 0

    def get_max_length(self) -> int:
        """Return -1: no limit."""
        return -1


class SharedPromptCache(Cache):
    """KV cache of `rows` rows after one shared prompt."""

    def __init__(self, prompt: Cache | None, length: int, rows: int) -> None:
        """Take over the first `length` tokens of a KV cache of one row; None: there is no prompt."""
        self.rows, self.places = rows, Places(None, torch.zeros(0, 0, dtype=torch.long), 0, 0)
        super().__init__(layer_class_to_replicate=cast(Any, partial(SharedPromptLayer, self)))
        for layer in cast(list[DynamicLayer], prompt.layers if prompt else []):
            shared = SharedPromptLayer(self)
            shared.lazy_initialization(
                *(cast(torch.Tensor, part)[:, :, :length] for part in (layer.keys, layer.values))
            )
            self.layers.append(shared)

    @property
    def shared(self) -> list[SharedPromptLayer]:
        """The layers, typed."""
        return cast(list[SharedPromptLayer], self.layers)

    def copy_rows(self, source: torch.Tensor, target: torch.Tensor, width: int) -> None:
        """Copy the first `width` positions after the prompt from source rows to target rows."""
        for layer in self.shared:
            layer.copy_rows(source, target, width)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop all rows except these."""
        self.rows = len(rows)
        for layer in self.shared:
            layer.keep(rows)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: Seen,
    value: Seen,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute attention of queries (N, heads, T, D) to both parts with one softmax; returns (N, T, heads, D)."""
    rows, heads, length, size = query.shape
    groups, prompt = len(key.prompt), key.prompt.shape[1]
    each = heads // groups * length
    # key heads come before rows, so no matrix product needs a copy of its factors
    asked = query.new_empty(groups, rows, each, size)
    scale = size**-0.5 if scaling is None else scaling
    torch.mul(query.reshape(rows, groups, each, size).transpose(0, 1), scale, out=asked)
    # the prompt is the same for all rows: one matrix product per head
    to_prompt = asked.view(groups, rows * each, size) @ key.prompt.transpose(-1, -2)
    to_own = asked @ key.own.transpose(-1, -2)
    scores = torch.cat([to_prompt.view(groups, rows, each, prompt), to_own], dim=-1)
    scores = scores.view(groups, rows, heads // groups, length, -1)
    of_prompt, of_own = key.places.hidden(sliding_window)
    scores[..., prompt:].masked_fill_(of_own, float("-inf"))
    if of_prompt is not None:
        scores[..., :prompt].masked_fill_(of_prompt, float("-inf"))
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype).view(groups * rows, each, -1)
    found = weights[..., :prompt].view(groups, rows * each, prompt) @ value.prompt
    found = found.view(groups * rows, each, size).baddbmm_(weights[..., prompt:], value.own.flatten(0, 1))
    found = found.view(groups, rows, heads // groups, length, size)
    return found.permute(1, 3, 0, 2, 4).reshape(rows, length, heads, size), None


AttentionInterface.register(ATTENTION, attend)


@contextmanager
def attending(model: PreTrainedModel) -> Iterator[None]:
    """Make a model use `attend`, and oneDNN where that is faster, within this context."""
    with attending_with(model, ATTENTION), packed(model):
        yield
