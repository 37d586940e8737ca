"""Reading many continuations of one prefix: the prefix is computed once, and so is every distinct token after it."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from odd.models.batch import log_softmax
from odd.models.prefix_tree import PrefixTree, Tokens, TreePlaces
from odd.models.shared_prompt import SharedPromptCache, attending, read_prompt


class Reader:
    """A prefix that was read, ready for what continues it."""

    def __init__(self, model: PreTrainedModel, name: str, size: int, room: int, prefix: Sequence[int]) -> None:
        """Compute the prefix; distributions are over the first `size` tokens, `room` of them are held at a time."""
        self.model, self.name, self.size, self.room = model, name, size, room
        self.length = len(prefix)
        self.prompt, logits = read_prompt(model, prefix)
        self.first = logits[:, :size]

    def log_probs(self, tree: PrefixTree, temperature: float) -> np.ndarray:
        """Distributions after the prefix and after every node of a tree, float32 (U + 1, V)."""
        read = np.empty((len(tree) + 1, self.size), dtype=np.float32)
        for rows, logits in self._slices(tree):
            read[rows] = log_softmax(logits, temperature, self.name).cpu().numpy()
        return read

    def token_log_probs(self, tree: PrefixTree, temperatures: Sequence[float]) -> dict[Tokens, np.ndarray]:
        """Log-probability of every token of a tree's continuations, float32 (len(temperatures), T) each."""
        asked, where = np.unique(
            np.concatenate([np.stack([rows, tokens]) for tokens, rows in tree.rows.items()], axis=1),
            axis=1,
            return_inverse=True,
        )
        parts = []
        for rows, logits in self._slices(tree):
            at, tokens = asked[:, (asked[0] >= rows.start) & (asked[0] < rows.stop)]
            heated = [log_softmax(logits, temperature, self.name) for temperature in temperatures]
            parts.append(torch.stack([one[at - rows.start, tokens] for one in heated]).cpu().numpy())
        read = np.concatenate(parts, axis=1)[:, where.reshape(-1)]
        ends = np.cumsum([len(tokens) for tokens in tree.rows])[:-1]
        return dict(zip(tree.rows, np.split(read, ends, axis=1), strict=True))

    def _slices(self, tree: PrefixTree) -> Iterator[tuple[slice, torch.Tensor]]:
        """Rows of the distributions with their logits, (rows, V)."""
        yield slice(0, 1), self.first
        cache = SharedPromptCache(self.prompt, self.length, 1)
        with attending(self.model):
            for start in range(0, len(tree), self.room):
                end = min(start + self.room, len(tree))
                cache.places = places = TreePlaces(tree, start, end, self.length, self.model.device)
                logits = self.model(
                    input_ids=torch.tensor([tree.tokens[start:end]], device=self.model.device),
                    position_ids=places.positions,
                    past_key_values=cache,
                    use_cache=True,
                ).logits[0, :, : self.size]
                yield slice(start + 1, end + 1), logits
