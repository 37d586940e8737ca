"""Sampling for any model: a batch that computes each distinct prefix once and drops finished rows.

It only requires that a model uses transformers' own cache; `continuous_batch` is faster for models that support it.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from odd.errors import OddError
from odd.models.base import Generation
from odd.models.transformers.drawing import draw

SHRINK_AT = 0.85
"""A batch is shrunk when at most this share of its rows is unfinished: shrinking copies the entire KV cache."""


class Response:
    """A rollout during sampling."""

    def __init__(self, limit: int) -> None:
        """Start without tokens; at most `limit` follow."""
        self.limit, self.ended = limit, False
        self.tokens: list[int] = []
        self.log_probs: list[float] = []

    @property
    def goes_on(self) -> bool:
        """Whether it is unfinished."""
        return not self.ended and len(self.tokens) < self.limit

    def add(self, token: int, log_prob: float, ended: bool) -> None:
        """Append a token; `ended` if it is an end token."""
        self.tokens.append(token)
        self.log_probs.append(log_prob)
        self.ended = ended

    def generation(self) -> Generation:
        """Return the sampled tokens."""
        return Generation(tuple(self.tokens), np.array(self.log_probs, dtype=np.float32), truncated=not self.ended)


class Batch:
    """Rollouts in one batch: their KV cache, and the next-token log-probabilities of each."""

    def __init__(
        self, model: PreTrainedModel, name: str, size: int, prefixes: Sequence[Sequence[int]], temperature: float
    ) -> None:
        """Prefill every distinct prefix once; distributions are over the first `size` tokens."""
        self.model, self.name, self.size, self.temperature = model, name, size, temperature
        self.rows = list(range(len(prefixes)))
        distinct = list(dict.fromkeys(tuple(prefix) for prefix in prefixes))
        width = max(len(prefix) for prefix in distinct)
        ids = torch.zeros(len(distinct), width, dtype=torch.long)
        self.mask = torch.zeros(len(distinct), width, dtype=torch.long)
        for i, prefix in enumerate(distinct):  # padded on the left, so that all next tokens are in one column
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
        ).logits[:, -1, : self.size]
        self.log_probs = log_softmax(logits, self.temperature, self.name)

    def keep(self, indices: list[int], first: bool = False) -> None:
        """Keep only these rows (repeats allowed) and drop all others, such as finished ones."""
        chosen = torch.tensor(indices, device=self.mask.device)
        self.cache.reorder_cache(cast(torch.LongTensor, chosen))
        self.mask, self.log_probs = self.mask[chosen], self.log_probs[chosen]
        if not first:
            self.rows = [self.rows[i] for i in indices]

    def draw(self, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw the next tokens by inverting the cumulative distribution; return them and their log-probabilities."""
        return draw(self.log_probs, uniforms)

    def advance(self, drawn: torch.Tensor) -> None:
        """Run a forward pass on the drawn tokens."""
        positions = self.mask.sum(-1, keepdim=True)
        self.mask = torch.cat([self.mask, torch.ones_like(positions)], dim=-1)
        self._forward(drawn[:, None], positions)


class FixedBatch:
    """Sampler of continuations of prefixes, one batch after another."""

    def __init__(self, model: PreTrainedModel, name: str, size: int, ends: frozenset[int], temperature: float) -> None:
        """Sample over the first `size` tokens; `name` is the user's name for the model."""
        self.model, self.name, self.size, self.ends, self.temperature = model, name, size, ends, temperature

    def run(
        self, prefixes: Sequence[Sequence[int]], limits: Sequence[int], uniforms: torch.Tensor, width: int
    ) -> list[Generation]:
        """Sample one continuation per prefix, `width` at a time; see `ContinuousBatch.run`.

        Raises:
            OddError: the model returns NaN.
        """
        return [
            generation
            for at in range(0, len(prefixes), width)
            for generation in self._run(prefixes[at : at + width], limits[at : at + width], uniforms[at : at + width])
        ]

    def _run(
        self, prefixes: Sequence[Sequence[int]], limits: Sequence[int], uniforms: torch.Tensor
    ) -> list[Generation]:
        batch = Batch(self.model, self.name, self.size, prefixes, self.temperature)
        responses = [Response(limit) for limit in limits]
        for step in range(max(limits)):
            drawn, log_probs = batch.draw(uniforms[batch.rows, step].to(self.model.device))
            going_on = []
            for i, (row, token, log_prob) in enumerate(
                zip(batch.rows, drawn.tolist(), log_probs.tolist(), strict=True)
            ):
                if responses[row].goes_on:
                    responses[row].add(token, log_prob, token in self.ends)
                if responses[row].goes_on:
                    going_on.append(i)
            if not going_on:
                break
            if len(going_on) <= SHRINK_AT * len(batch.rows):
                batch.keep(going_on)
                drawn = drawn[going_on]
            batch.advance(drawn)
        return [response.generation() for response in responses]


def log_softmax(logits: torch.Tensor, temperature: float, name: str) -> torch.Tensor:
    """Compute log-probabilities in float32.

    Raises:
        OddError: the logits of the model `name` contain NaN.
    """
    log_probs = torch.log_softmax(logits.float() / temperature, dim=-1)
    if bool(log_probs.isnan().any()):
        raise OddError(f"model {name!r} returns NaN log-probabilities: set its dtype to float32")
    return log_probs
