"""Scoring of many continuations of one prefix: the prefix and every distinct token after it are computed once.

A forward pass computes hidden states for as many tokens as a pass may have logits; logits follow in smaller slices,
since student and teachers are read side by side and each holds one slice.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from transformers import Cache, DynamicCache

from odd.models.transformers import prefix_tree
from odd.models.transformers.batch import log_softmax
from odd.models.transformers.head import Head
from odd.models.transformers.packing import packed
from odd.models.transformers.prefix_tree import PrefixTree, Tokens, TreePlaces
from odd.models.transformers.shared_prompt import SharedPromptCache, attending


class Reader:
    """Scores continuations of one prefix."""

    def __init__(self, head: Head, name: str, size: int, room: int, prefix: Sequence[int], once: bool) -> None:
        """Score over the first `size` tokens, at most `room` tokens per pass; `once`: only one tree is read."""
        self.head, self.model, self.name, self.size, self.room, self.once = head, head.model, name, size, room, once
        self.prefix = tuple(prefix)
        _ = head.last  # probes the model, which it cannot while another attention is set

    @cached_property
    def _read(self) -> tuple[Cache, torch.Tensor]:
        """The KV cache of the prefix, and the state after it."""
        cache = DynamicCache()
        ids = torch.tensor([self.prefix], device=self.model.device)
        with packed(self.model):
            return cache, self.head.states(ids, 1, past_key_values=cache)

    def token_log_probs(self, tree: PrefixTree, temperatures: Sequence[float]) -> dict[Tokens, np.ndarray]:
        """Compute the log-probability of every token of a tree's continuations, float32 (len(temperatures), T) each."""
        asked, where = np.unique(
            np.concatenate([np.stack([rows, tokens]) for tokens, rows in tree.rows.items()], axis=1),
            axis=1,
            return_inverse=True,
        )
        parts = []
        for rows, logits in self.slices(tree):
            at, tokens = asked[:, (asked[0] >= rows.start) & (asked[0] < rows.stop)]
            heated = [log_softmax(logits, temperature, self.name) for temperature in temperatures]
            parts.append(torch.stack([one[at - rows.start, tokens] for one in heated]).cpu().numpy())
        read = np.concatenate(parts, axis=1)[:, where.reshape(-1)]
        ends = np.cumsum([len(tokens) for tokens in tree.rows])[:-1]
        return dict(zip(tree.rows, np.split(read, ends, axis=1), strict=True))

    def slices(self, tree: PrefixTree) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield logits after the prefix (row 0) and after each node (row i + 1), (n, V) per slice of rows."""
        for rows, states in self.passes(tree):
            for part in self.head.last.parts(states, self.room):
                at = slice(rows.start + part.start, rows.start + part.stop)
                # not bound to a name: a suspended generator would keep it in memory
                yield at, self.head.last.logits(states[part])[:, : self.size]

    def passes(self, tree: PrefixTree) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield states, see `LastLayer.logits`, after the prefix (row 0) and after each node (row i + 1), by pass.

        Between passes the model is in its original state, so others may use it.
        """
        if joined := self._joined(tree):
            cache, known, before = SharedPromptCache(None, 0, 1), 0, len(self.prefix) - 1
        else:
            prompt, states = self._read
            yield slice(0, 1), states
            cache, known, before = SharedPromptCache(prompt, len(self.prefix), 1), 1, -1
        nodes = joined or tree
        for start in range(known, len(tree) + 1, self.room):
            end = min(start + self.room, len(tree) + 1)
            first = start + before if start else 0
            cache.places = places = TreePlaces(nodes, first, end + before, cache.get_seq_length(), self.model.device)
            with attending(self.model):
                states = self.head.states(
                    input_ids=torch.tensor([nodes.tokens[first : end + before]], device=self.model.device),
                    position_ids=places.positions,
                    past_key_values=cache,
                    logits_to_keep=end - start,
                )
            yield slice(start, end), states

    def _joined(self, tree: PrefixTree) -> PrefixTree | None:
        """Return the tree joined to the prefix, to read both in one pass, unless other trees need the prefix, too."""
        if not self.once or len(self.prefix) + len(tree) > prefix_tree.MOST_NODES:
            return None
        return PrefixTree([(*self.prefix, *tokens) for tokens in tree.rows])
