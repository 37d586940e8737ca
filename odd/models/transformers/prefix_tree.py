"""Continuations of one prefix as a tree, which shares the tokens of their common prefixes."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from odd.method.tree import shared_length
from odd.models.transformers.shared_prompt import Places

Tokens = tuple[int, ...]
MOST_NODES = 512
"""Approximate maximum number of tokens per tree: attention is computed between all of them and then masked."""


class PrefixTree:
    """The tokens that a model must read to score every token of some continuations.

    These are all tokens that another token follows, each once. Nodes are in depth-first order.

    Attributes:
        tokens: token id of each node, (U,).
        depth: number of tokens before each node, (U,).
        ends: end of each node's subtree, exclusive, (U,).
        rows: for each continuation, the row of the distribution of each token: 0 after the prefix, i + 1 after node i.
    """

    def __init__(self, continuations: Sequence[Tokens]) -> None:
        """Lay out distinct continuations, which must be sorted."""
        self.tokens: list[int] = []
        self.depth: list[int] = []
        self.ends: list[int] = []
        self.rows: dict[Tokens, np.ndarray] = {}
        before: Tokens = ()
        nodes: list[int] = []
        for continuation in continuations:
            body = continuation[:-1]
            shared = shared_length(before, body)
            self._close(nodes[shared:])
            nodes = [*nodes[:shared], *range(len(self.tokens), len(self.tokens) + len(body) - shared)]
            self.tokens += body[shared:]
            self.depth += range(shared, len(body))
            self.ends += [0] * (len(body) - shared)
            self.rows[continuation] = np.array([0, *(node + 1 for node in nodes)][: len(continuation)], dtype=np.int64)
            before = body
        self._close(nodes)

    def _close(self, nodes: list[int]) -> None:
        for node in nodes:
            self.ends[node] = len(self.tokens)

    def __len__(self) -> int:
        """Return the number of nodes."""
        return len(self.tokens)


class TreePlaces(Places):
    """Cache positions of the nodes of a tree, consecutive in one row; each node attends to its ancestors."""

    def __init__(self, tree: PrefixTree, start: int, end: int, prompt: int, device: torch.device) -> None:
        """Place the nodes from `start` to `end`; earlier nodes must be in the cache."""
        super().__init__(None, torch.arange(start, end, device=device)[None], prompt, end)
        self.depth = torch.tensor(tree.depth[:end], device=device)
        self.ends = torch.tensor(tree.ends[:end], device=device)

    @property
    def positions(self) -> torch.Tensor:
        """Position ids, (1, T)."""
        return self.depth[self.index] + self.prompt

    def _hidden_places(self, window: int | None) -> tuple[torch.Tensor | None, torch.Tensor]:
        at, places = self.index[0, :, None], torch.arange(self.width, device=self.index.device)
        own, of_prompt = (places > at) | (self.ends <= at), None
        if window is not None:
            depth = self.depth[self.index[0]][:, None]
            own = own | (self.depth <= depth - window)
            of_prompt = torch.arange(self.prompt, device=self.index.device) <= depth + self.prompt - window
            of_prompt = of_prompt[None, None]
        return of_prompt, own[None, None]


def prefix_trees(continuations: Sequence[Tokens]) -> Iterator[PrefixTree]:
    """Yield all distinct non-empty continuations as trees of at most about `MOST_NODES` nodes."""
    group: list[Tokens] = []
    nodes = 0
    for tokens in sorted({tokens for tokens in continuations if tokens}):
        fresh = len(tokens) - (shared_length(group[-1], tokens) if group else 0)
        if group and nodes + fresh > MOST_NODES:
            yield PrefixTree(group)
            group, nodes, fresh = [], 0, len(tokens)
        group.append(tokens)
        nodes += fresh
    if group:
        yield PrefixTree(group)
