"""Reading many continuations of one prefix: the prefix is computed once, distinct continuations side by side."""

import copy
from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from odd.models.batch import log_softmax

LOGITS_BYTES = 1 << 26
"""Bytes of logits that are held at once: how many rows and positions go through the model together."""
MOST_ROWS = 128

Tokens = tuple[int, ...]


class Reader:
    """A prefix that was read, ready for what continues it."""

    def __init__(self, model: PreTrainedModel, name: str, size: int, prefix: Sequence[int]) -> None:
        """Compute the prefix; distributions are over the first `size` tokens."""
        self.model, self.name, self.size, self.length = model, name, size, len(prefix)
        self.cache = DynamicCache(config=model.config)
        self.first = self._forward(torch.tensor([list(prefix)]), None, self.cache, 0, keep=1)[:, -1:]

    def _forward(
        self, ids: torch.Tensor, mask: torch.Tensor | None, cache: DynamicCache, start: int, keep: int
    ) -> torch.Tensor:
        device = self.model.device
        positions = torch.arange(start, start + ids.shape[1], device=device).expand(len(ids), -1)
        return self.model(
            input_ids=ids.to(device),
            attention_mask=None if mask is None else mask.to(device),
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        ).logits[:, :, : self.size]

    def read(self, continuations: Sequence[Tokens], temperatures: Sequence[float]) -> dict[Tokens, np.ndarray]:
        """Log-probability of every token of distinct, non-empty continuations, float32 (len(temperatures), T) each."""
        longest = max(map(len, continuations))
        ids = torch.zeros(len(continuations), longest, dtype=torch.long)
        mask = torch.zeros(len(continuations), self.length + longest, dtype=torch.long)
        for row, tokens in enumerate(continuations):  # padded on the right, where nothing that counts comes after
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : self.length + len(tokens)] = 1
        parts = [
            [
                log_softmax(logits, temperature, self.name).gather(-1, ids[:, at, None].to(logits.device))[..., 0]
                for temperature in temperatures
            ]
            for at, logits in self._slices(ids, mask)
        ]
        read = torch.stack([torch.cat(columns, dim=1) for columns in zip(*parts, strict=True)]).cpu().numpy()
        return {tokens: read[:, row, : len(tokens)] for row, tokens in enumerate(continuations)}

    def _slices(self, ids: torch.Tensor, mask: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Positions of the continuations with the logits before them, (B, positions, V)."""
        rows, longest = ids.shape
        yield slice(0, 1), self.first.expand(rows, -1, -1)
        cache = copy.deepcopy(self.cache)
        cache.reorder_cache(cast(torch.LongTensor, torch.zeros(rows, dtype=torch.long, device=self.model.device)))
        width = max(1, LOGITS_BYTES // (4 * rows * self.size))
        for start in range(0, longest - 1, width):
            end = min(start + width, longest - 1)
            seen = mask[:, : self.length + end]
            logits = self._forward(ids[:, start:end], seen, cache, self.length + start, keep=end - start)
            yield slice(start + 1, end + 1), logits


def batches(continuations: Sequence[Tokens], size: int) -> Iterator[list[Tokens]]:
    """Distinct non-empty continuations in batches of like length, each within the room for logits."""
    batch: list[Tokens] = []
    for tokens in sorted({tokens for tokens in continuations if tokens}, key=lambda tokens: (len(tokens), tokens)):
        if batch and (len(batch) == MOST_ROWS or 4 * size * len(tokens) * (len(batch) + 1) > LOGITS_BYTES):
            yield batch
            batch = []
        batch.append(tokens)
    if batch:
        yield batch
