"""Continuous batching: finished rollouts free their rows, and waiting rollouts take them."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from odd.errors import OddError
from odd.method.tree import shared_length
from odd.models.base import Generation
from odd.models.transformers.drawing import draw
from odd.models.transformers.shared_prompt import Places, SharedPromptCache, attending, read_prompt

ENTER_AT = 8
"""Waiting rollouts enter when at least one row in this many is free: each prefill costs a forward pass."""
SHRINK_AT = 0.85
"""Free rows are dropped when at most this share is in use: shrinking copies the entire KV cache."""
PREFILL_TOKENS = 4096
"""Maximum number of tokens in one prefill pass over forced tokens."""


class ContinuousBatch:
    """Sampler of continuations of many prefixes, by continuous batching with `width` rows."""

    def __init__(self, model: PreTrainedModel, name: str, size: int, ends: frozenset[int], temperature: float) -> None:
        """Sample over the first `size` tokens; `name` is the user's name for the model."""
        self.model, self.name, self.size, self.temperature = model, name, size, temperature
        self.device = model.device
        self.ends = torch.tensor(sorted(ends), device=self.device)

    def run(
        self, prefixes: Sequence[Sequence[int]], limits: Sequence[int], uniforms: torch.Tensor, width: int
    ) -> list[Generation]:
        """Sample one continuation per prefix, `width` at a time.

        Args:
            prefixes: non-empty lists of token ids.
            limits: maximum number of tokens of each continuation.
            uniforms: float64 (N, at least the largest limit): uniform numbers that each rollout samples with.
            width: number of rows of the batch.

        Raises:
            OddError: the model returns NaN.
        """
        shared = _shared_length(prefixes)
        self.rest = [tuple(prefix[shared:]) for prefix in prefixes]
        # sorted by length to reduce padding, and equal ones next to each other, so that each is read once
        self.waiting = sorted(range(len(prefixes)), key=lambda i: (len(self.rest[i]), self.rest[i]), reverse=True)
        self.uniforms, self.limits = uniforms.to(self.device), torch.tensor(list(limits), device=self.device)
        self.tokens = torch.zeros(len(prefixes), max(limits), dtype=torch.long, device=self.device)
        self.log_probs = torch.zeros(len(prefixes), max(limits), device=self.device)
        self.counts = torch.zeros(len(prefixes), dtype=torch.long, device=self.device)
        self._read_prompt(list(prefixes[0][: max(shared, 1)]), shared, min(width, len(prefixes)))
        with attending(self.model):
            self._enter()
            while len(self.row_of):
                drawn = self._shrink(self._draw())
                if bool((self.row_of >= 0).any()):
                    self._forward(None, drawn[:, None], self.length[:, None], int(self.length.max()) + 1)
                    self.length += 1
                self._enter()
        return self._generations()

    def _read_prompt(self, prompt: list[int], shared: int, width: int) -> None:
        """Prefill the common prefix of all prefixes, and allocate `width` rows."""
        cache, logits = read_prompt(self.model, prompt)
        self.prompt, self.first = shared, logits[:, : self.size].float()
        self.cache = SharedPromptCache(cache, shared, width)
        self.row_of = torch.full((width,), -1, dtype=torch.long, device=self.device)  # -1: the row is free
        self.length = torch.zeros(width, dtype=torch.long, device=self.device)
        self.logits = self.first.expand(width, -1).clone()

    def _generations(self) -> list[Generation]:
        """Return the sampled continuations."""
        counts = self.counts.tolist()
        tokens, log_probs = self.tokens.tolist(), self.log_probs.cpu().numpy()
        last = self.tokens.gather(1, (self.counts - 1).clamp(min=0)[:, None])[:, 0]
        ended = (torch.isin(last, self.ends) & (self.counts > 0)).tolist()
        return [
            Generation(tuple(tokens[i][:count]), log_probs[i, :count].astype(np.float32), truncated=not ended[i])
            for i, count in enumerate(counts)
        ]

    def _draw(self) -> torch.Tensor:
        """Draw a token for each row; free the rows of rollouts that it finishes."""
        alive, rows = self.row_of >= 0, self.row_of.clamp(min=0)
        counts = self.counts[rows].clamp(max=self.uniforms.shape[1] - 1)
        drawn, log_probs = draw(self.logits, self.uniforms[rows, counts], self.temperature)
        if bool(log_probs[alive].isnan().any()):
            raise OddError(f"model {self.name!r} returns NaN log-probabilities: set its dtype to float32")
        going, at = rows[alive], counts[alive]
        self.tokens[going, at], self.log_probs[going, at] = drawn[alive], log_probs[alive]
        self.counts[going] = at + 1
        self.row_of[alive & (torch.isin(drawn, self.ends) | (counts + 1 >= self.limits[rows]))] = -1
        return drawn

    def _shrink(self, drawn: torch.Tensor) -> torch.Tensor:
        """Drop free rows if nothing waits and copying the KV cache is worth it; return the remaining tokens."""
        kept = (self.row_of >= 0).nonzero()[:, 0]
        if self.waiting or len(kept) > SHRINK_AT * len(self.row_of):
            return drawn
        self.cache.keep(kept)
        self.row_of, self.length, self.logits = self.row_of[kept], self.length[kept], self.logits[kept]
        return drawn[kept]

    def _forward(self, rows: torch.Tensor | None, ids: torch.Tensor, index: torch.Tensor, width: int) -> None:
        """Run tokens at positions after the prompt; store the logits after the last token of each row."""
        self.cache.places = places = Places(rows, index, self.prompt, width)
        logits = (
            self.model(
                input_ids=ids,
                position_ids=places.positions,
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
            .logits[:, -1, : self.size]
            .float()
        )
        if rows is None:
            self.logits = logits
        else:
            self.logits[rows] = logits

    def _enter(self) -> None:
        """Assign waiting rollouts to the free rows, if there are enough of these."""
        free = (self.row_of < 0).nonzero()[:, 0].tolist()
        if not self.waiting or len(free) * ENTER_AT < len(self.row_of):
            return
        entering = [self.waiting.pop() for _ in range(min(len(free), len(self.waiting)))]
        rows = dict(zip(entering, free, strict=False))
        self.row_of[list(rows.values())] = torch.tensor(entering, device=self.device)
        first: dict[tuple[int, ...], int] = {}
        copies = {rows[i]: first.setdefault(self.rest[i], rows[i]) for i in entering}
        for batch in _batches([rest for rest in first if rest]):
            self._read(batch, [first[rest] for rest in batch])
        if () in first:
            self.logits[first[()]], self.length[first[()]] = self.first[0], 0
        for row, source in copies.items():
            if row != source:
                self.length[row], self.logits[row] = self.length[source], self.logits[source]
        targets = [row for row, source in copies.items() if row != source]
        if targets and (width := max(len(self.rest[i]) for i in entering)):
            sources = torch.tensor([copies[row] for row in targets], device=self.device)
            self.cache.copy_rows(sources, torch.tensor(targets, device=self.device), width)

    def _read(self, batch: list[tuple[int, ...]], rows: list[int]) -> None:
        """Prefill forced tokens into rows; shorter ones are padded on the left, so that all end in one column."""
        width = max(map(len, batch))
        ids = torch.zeros(len(batch), width, dtype=torch.long)
        index = torch.arange(width).expand(len(batch), -1) - width + torch.tensor([[len(rest)] for rest in batch])
        for i, rest in enumerate(batch):
            ids[i, width - len(rest) :] = torch.tensor(rest)
        places = torch.tensor(rows, device=self.device)
        self._forward(places, ids.to(self.device), index.to(self.device), width)
        self.length[places] = torch.tensor([len(rest) for rest in batch], device=self.device)


def _shared_length(prefixes: Sequence[Sequence[int]]) -> int:
    """Return the length of the common prefix of all prefixes."""
    rows = [tuple(prefix) for prefix in prefixes]
    return shared_length(min(rows), max(rows))  # all share what the first and the last in sorted order share


def _batches(rests: list[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    """Group forced tokens into prefill passes."""
    batch: list[tuple[int, ...]] = []
    for rest in sorted(rests, key=len):
        if batch and len(rest) * (len(batch) + 1) > PREFILL_TOKENS:
            yield batch
            batch = []
        batch.append(rest)
    if batch:
        yield batch


@torch.inference_mode()
def fits(model: PreTrainedModel, size: int) -> bool:
    """Return whether `ContinuousBatch` supports a model: on a few tokens, log-probabilities equal a plain pass."""
    ids = [i % size for i in range(1, 9)]
    prefixes = [ids, [*ids[:4], *ids[:2]]]
    uniforms = torch.full((len(prefixes), 3), 0.5, dtype=torch.float64)
    try:
        drawn = ContinuousBatch(model, "probe", size, frozenset(), 1.0).run(prefixes, [3] * len(prefixes), uniforms, 2)
    except (AttributeError, KeyError, OddError, RuntimeError, TypeError, ValueError):  # incompatible cache
        return False
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
    return all(
        np.abs(_plain_log_probs(model, size, prefix, one.token_ids) - one.log_probs).max() < tolerance
        for prefix, one in zip(prefixes, drawn, strict=True)
    )


def _plain_log_probs(model: PreTrainedModel, size: int, prefix: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
    """Compute log-probabilities of tokens after a prefix by a plain forward pass."""
    ids = torch.tensor([[*prefix, *tokens[:-1]]], device=model.device)
    logits = model(input_ids=ids, use_cache=False, logits_to_keep=len(tokens)).logits[0, :, :size].float()
    chosen = torch.tensor(list(tokens), device=model.device)[:, None]
    return logits.log_softmax(-1).gather(1, chosen)[:, 0].cpu().numpy()
