"""Many continuations of one prefix as a tree: those that begin alike share their tokens."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from odd.method.tree import shared_length
from odd.models.transformers.shared_prompt import Places

Tokens = tuple[int, ...]
MOST_NODES = 512
"""Tokens of a tree, about: each looks at all of them, to see only those it follows."""


class PrefixTree:
    """The tokens that a model must read to say how likely every token of some continuations is.

    A token is read after which another one comes; each is read once. Nodes are in depth-first order.

    Attributes:
        tokens: of the nodes, (U,).
        depth: tokens before a node, (U,).
        ends: the first node that does not come after a node, (U,).
        rows: of each continuation, where the distribution of each of its tokens stands: 0 is after the prefix, i + 1 is
            after node i.
    """

    def __init__(self, continuations: Sequence[Tokens]) -> None:
        """Lay out distinct continuations; their order is that of `sorted`."""
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
        """Nodes."""
        return len(self.tokens)


class TreePlaces(Places):
    """Where some nodes of a tree lie, one after another in one row: each looks at those that it comes after."""

    def __init__(self, tree: PrefixTree, start: int, end: int, prompt: int, device: torch.device) -> None:
        """The nodes from `start` to `end`, those before having been read."""
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
    """All distinct non-empty continuations in trees of about `MOST_NODES`."""
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
