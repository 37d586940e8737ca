"""The prefix tree of one question's rollouts, as flat arrays; depth windows; representative paths.

Nodes are identified by token ids. Dimension letters as in `odd.method.logspace`. Nodes are numbered breadth-first,
children sorted by (parent, token); node 0 is the root (the empty response). The numbering is therefore independent of
the order of the rollouts, and the children of a node have contiguous numbers. Every node except the root also denotes
the edge that leads to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int32, Int64


@dataclass(frozen=True, eq=False)
class Tree:
    """A prefix tree.

    Attributes:
        parent: parent node; -1 for the root.
        token: token id of the edge that leads to the node; -1 for the root.
        depth: number of response tokens up to the node.
        rollout_nodes: node of each rollout at each depth, padded with -1.
    """

    parent: Int32[np.ndarray, " N"]
    token: Int32[np.ndarray, " N"]
    depth: Int32[np.ndarray, " N"]
    rollout_nodes: Int32[np.ndarray, "R T_plus_1"]

    @property
    def size(self) -> int:
        """N, the number of nodes including the root."""
        return len(self.parent)

    @cached_property
    def child_offsets(self) -> Int64[np.ndarray, " N_plus_1"]:
        """Offsets of children: those of node n are the nodes child_offsets[n] ... child_offsets[n + 1] - 1."""
        return np.searchsorted(self.parent[1:], np.arange(self.size + 1)) + 1

    def children(self, node: int) -> range:
        """Return the child nodes by ascending token id."""
        return range(int(self.child_offsets[node]), int(self.child_offsets[node + 1]))

    def child(self, node: int, token: int) -> int:
        """Return the child of `node` by `token`, or -1 if there is none."""
        children = self.children(node)
        found = children.start + int(np.searchsorted(self.token[children.start : children.stop], token))
        return found if found in children and self.token[found] == token else -1

    def path(self, node: int) -> list[int]:
        """Return the nodes from the root to `node`, inclusive; the tokens of all but the root are the prefix."""
        nodes = [node]
        while nodes[-1] != 0:
            nodes.append(int(self.parent[nodes[-1]]))
        return nodes[::-1]

    def find(self, prefix: Sequence[int]) -> int:
        """Return the node of a prefix of token ids, or -1 if no rollout has it."""
        node = 0
        for token in prefix:
            node = self.child(node, token)
            if node < 0:
                return -1
        return node


def build_tree(token_ids: Sequence[Sequence[int]]) -> Tree:
    """Build the tree of all rollouts, level by level.

    Args:
        token_ids: response tokens of each rollout, including forced ones, all >= 0.

    Raises:
        ValueError: a token id is negative.
    """
    tokens, lengths = _pad(token_ids)
    rollout_nodes = np.full((len(lengths), tokens.shape[1] + 1), -1, dtype=np.int32)
    rollout_nodes[:, 0] = 0
    width = int(tokens.max(initial=0)) + 1
    parents, edge_tokens, sizes = [np.array([-1])], [np.array([-1])], [1]
    size = 1
    for t in range(tokens.shape[1]):
        active = np.flatnonzero(lengths > t)
        edges = rollout_nodes[active, t].astype(np.int64) * width + tokens[active, t]
        unique, which = np.unique(edges, return_inverse=True)
        rollout_nodes[active, t + 1] = size + which
        parents.append(unique // width)
        edge_tokens.append(unique % width)
        sizes.append(len(unique))
        size += len(unique)
    return Tree(
        parent=np.concatenate(parents).astype(np.int32),
        token=np.concatenate(edge_tokens).astype(np.int32),
        depth=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        rollout_nodes=rollout_nodes,
    )


def _pad(token_ids: Sequence[Sequence[int]]) -> tuple[Int64[np.ndarray, "R T"], Int64[np.ndarray, " R"]]:
    """Return rollouts as a matrix padded with -1, and their lengths."""
    lengths = np.array([len(ids) for ids in token_ids], dtype=np.int64)
    tokens = np.full((len(lengths), int(lengths.max(initial=0))), -1, dtype=np.int64)
    flat = np.concatenate([np.asarray(ids, dtype=np.int64) for ids in token_ids]) if len(token_ids) else lengths
    if (flat < 0).any():
        raise ValueError("token ids must not be negative: they identify nodes")
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = flat
    return tokens, lengths


def depth_windows(length: int, first: int) -> list[tuple[int, int]]:
    """Split a path into windows of doubling width: tokens 1-50, 51-150, 151-350, ... for first = 50 (method §5).

    Args:
        length: number of tokens of the path.
        first: width of the first window, >= 1; window i is first * 2^i wide, the last one is cut off at the end.

    Returns:
        Half-open ranges of zero-based positions, [0, 50), [50, 150), ...
    """
    windows, start, width = [], 0, first
    while start < length:
        windows.append((start, min(start + width, length)))
        start, width = start + width, 2 * width
    return windows


def representative_paths(
    correct: Bool[np.ndarray, " R"],
    truncated: Bool[np.ndarray, " R"],
    token_ids: Sequence[Sequence[int]],
    n_correct: int,
    n_incorrect: int,
    rng: np.random.Generator,
) -> list[int]:
    """Draw the paths to study from the initial rollouts, uniformly and without replacement within each outcome.

    Repeated token sequences are used only when there are too few distinct ones. A truncated response is incorrect,
    regardless of `correct`.

    Args:
        correct: outcome of each initial rollout.
        truncated: whether each was cut off at the length limit.
        token_ids: token ids of each.
        n_correct: number of correct paths to draw.
        n_incorrect: number of incorrect paths to draw.
        rng: source of randomness.

    Returns:
        Rollout indices, correct ones first; fewer if there are not enough rollouts.
    """
    right = correct & ~truncated
    chosen: list[int] = []
    for outcome, wanted in ((right, n_correct), (~right, n_incorrect)):
        shuffled = [int(i) for i in rng.permutation(np.flatnonzero(outcome))]
        first_of: dict[tuple[int, ...], int] = {}
        for i in shuffled:
            first_of.setdefault(tuple(token_ids[i]), i)
        distinct = set(first_of.values())
        chosen += sorted(shuffled, key=lambda i: i not in distinct)[:wanted]
    return chosen


def distinct_places(responses: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Locate the distinct prefixes that precede a token of some response: what a model reads to score all responses.

    Args:
        responses: token ids of each response.

    Returns:
        Response index and position t of each distinct prefix response[:t], at its first occurrence in depth-first order
        of the sorted responses, so a prefix comes after its own prefixes.
    """
    order = sorted(range(len(responses)), key=lambda i: tuple(responses[i]))
    places, before = [], ()
    for number in order:
        response = tuple(responses[number])
        shared = shared_length(before, response)
        # these prefixes were listed before; a complete response is not one
        known = min(shared + 1, len(before)) if before else 0
        places += [(number, position) for position in range(known, len(response))]
        before = response if response else before
    return places


def shared_length(one: Sequence[int], other: Sequence[int]) -> int:
    """Return the length of the common prefix."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
