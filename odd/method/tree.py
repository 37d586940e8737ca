"""The prefix tree of one question's rollouts, as flat arrays; depth windows; representative paths.

Nodes are identified by token ids. Dimension letters as in `odd.method.logspace`. Nodes are numbered breadth-first over
all distinct prefixes, children sorted by (parent, token); node 0 is the root (the empty response). The numbering is
therefore independent of the order of the rollouts, and the children of a node have contiguous numbers. Every node
except the root also denotes the edge that leads to it.

Most nodes of long responses are visited by a single rollout. A tree need not hold these, so its memory follows from the
nodes that rollouts share. They are numbered all the same: the nodes of a tree are its rows, and `number` has the number
of each among all distinct prefixes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int32, Int64, Integer

Tokens = Sequence[int] | Integer[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class Tree:
    """A prefix tree.

    The rollouts through a node follow one another in lexicographic order, which is how they are found.

    Attributes:
        parent: parent node; -1 for the root.
        token: token id of the edge that leads to the node; -1 for the root.
        depth: number of response tokens up to the node.
        number: number of the node among all distinct prefixes, ascending.
        rollouts: number of rollouts through the node, of all that the tree was built from.
        first: place of the first of these in lexicographic order.
        place: place of each rollout in lexicographic order.
        kept: depth of the last node that the tree holds of each rollout.
        lengths: number of tokens of each rollout.
    """

    parent: Int32[np.ndarray, " N"]
    token: Int32[np.ndarray, " N"]
    depth: Int32[np.ndarray, " N"]
    number: Int64[np.ndarray, " N"]
    rollouts: Int64[np.ndarray, " N"]
    first: Int64[np.ndarray, " N"]
    place: Int64[np.ndarray, " R"]
    kept: Int64[np.ndarray, " R"]
    lengths: Int64[np.ndarray, " R"]

    @property
    def size(self) -> int:
        """N, the number of nodes that the tree holds, including the root."""
        return len(self.parent)

    def part(self, chosen: Bool[np.ndarray, " R"]) -> "Tree":
        """Return the tree of a subset of the rollouts, with all nodes."""
        each = {name: getattr(self, name)[chosen] for name in ("place", "kept", "lengths")}
        return replace(self, **each)

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
        """Return the node of a prefix of token ids, or -1 if the tree holds none."""
        node = 0
        for token in prefix:
            node = self.child(node, token)
            if node < 0:
                return -1
        return node

    @cached_property
    def _order(self) -> Int64[np.ndarray, " N"]:
        """Ascending keys of (depth, first rollout); breadth-first order is the order of these keys."""
        return self.depth.astype(np.int64) << 32 | self.first

    def nodes_at(
        self, rollouts: Integer[np.ndarray, "*#B"], depth: Integer[np.ndarray, "*#B"]
    ) -> Int64[np.ndarray, "*B"]:
        """Return the node of each of some rollouts at a depth, which must be at most the rollout's in `kept`."""
        key = np.asarray(depth, dtype=np.int64) << 32 | self.place[rollouts]
        return np.searchsorted(self._order, key, side="right") - 1

    def nodes_of(self, rollout: int) -> Int64[np.ndarray, " _"]:
        """Return the nodes of a rollout from the root on, as far as the tree holds them."""
        return self.nodes_at(np.array(rollout), np.arange(self.kept[rollout] + 1))

    @cached_property
    def rollout_nodes(self) -> Int32[np.ndarray, "R T_plus_1"]:
        """Node of each rollout at each depth; -1 after its end, and where the tree does not hold its nodes."""
        depth, each = np.arange(int(self.lengths.max(initial=0)) + 1), np.arange(len(self.lengths))[:, None]
        return np.where(depth <= self.kept[:, None], self.nodes_at(each, depth), -1).astype(np.int32)

    @cached_property
    def _subtrees(self) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
        """All nodes depth-first, and where in this order the subtree of each node begins and ends."""
        order = np.lexsort((self.depth, self.first))
        begin = np.empty(self.size, dtype=np.int64)
        begin[order] = np.arange(self.size)
        return order, begin, np.searchsorted(self.first[order], self.first + self.rollouts)

    def subtree_sums(self, values: Integer[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        """Return the sum of values over each node and all nodes below it."""
        order, begin, end = self._subtrees
        sums = np.concatenate([[0], np.cumsum(values[order])])
        return sums[end] - sums[begin]


def build_tree(
    token_ids: Sequence[Tokens],
    down_to: Integer[np.ndarray, " R"] | None = None,
    lengths: Integer[np.ndarray, " R"] | None = None,
) -> Tree:
    """Build the tree of all rollouts.

    Args:
        token_ids: response tokens of each rollout, including forced ones, all >= 0.
        down_to: depth to which the tree holds the nodes of each rollout even if no other rollout visits them. In any
            case it holds the root, the nodes that rollouts share, and the children of these. None: all nodes.
        lengths: number of tokens of each rollout, if `token_ids` ends after the first token that no other rollout has.

    Raises:
        ValueError: a token id is negative.
    """
    count = len(token_ids)
    ids = [np.asarray(tokens, dtype=np.int32) for tokens in token_ids]
    if any(len(tokens) and tokens.min() < 0 for tokens in ids):
        raise ValueError("token ids must not be negative: they identify nodes")
    # the bytes of big-endian integers sort like the integers
    keys = [tokens.astype(">i4").tobytes() for tokens in ids]
    order = np.array(sorted(range(count), key=keys.__getitem__), dtype=np.int64)
    del keys
    known = np.array([len(tokens) for tokens in ids], dtype=np.int64)
    lengths = known if lengths is None else lengths.astype(np.int64)
    shared = [_shared(ids[one], ids[other]) for one, other in pairwise(order)]
    before, after = (np.array(each, dtype=np.int64)[:count] for each in ([0, *shared], [*shared, 0]))
    place = np.empty(count, dtype=np.int64)
    place[order] = np.arange(count)
    kept = known
    if down_to is not None:
        kept = np.minimum(known, np.maximum(np.maximum(before, after)[place] + 1, down_to))
    kept, columns = kept.astype(np.int64), _nodes(ids, order, before, lengths[order], kept[order])
    return Tree(**columns, place=place, kept=kept, lengths=lengths)


def _shared(one: Int32[np.ndarray, " _"], other: Int32[np.ndarray, " _"]) -> int:
    """Return the length of the common prefix."""
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    return int(differs.argmax()) if differs.any() else length


def _nodes(
    ids: Sequence[Int32[np.ndarray, " _"]],
    order: Int64[np.ndarray, " R"],
    before: Int64[np.ndarray, " R"],
    lengths: Int64[np.ndarray, " R"],
    kept: Int64[np.ndarray, " R"],
) -> dict[str, np.ndarray]:
    """Return the columns of the nodes that a tree holds, collected level by level.

    Args:
        ids: tokens of each rollout.
        order: the rollouts in lexicographic order; the other arguments are in this order.
        before: number of tokens that a rollout shares with the one before it; it is the first at its later nodes.
        lengths: number of tokens.
        kept: depth to which the tree holds its nodes.
    """
    levels: list[dict] = [{"parent": [-1], "token": [-1], "number": [0], "rollouts": [len(ids)], "first": [0]}]
    size, prefixes, at = 1, 1, np.zeros(len(ids), dtype=np.int64)
    for depth in range(1, int(kept.max(initial=0)) + 1):
        new = np.flatnonzero((before < depth) & (lengths >= depth))
        held = kept[new] >= depth
        first = new[held]
        columns = {"parent": at[first], "token": [ids[one][depth - 1] for one in order[first].tolist()]}
        opens = np.zeros(len(ids), dtype=np.int64)
        opens[first] = 1
        at = size - 1 + np.cumsum(opens)
        through = np.bincount(at[kept >= depth] - size, minlength=len(first))
        levels.append(columns | {"number": prefixes + np.flatnonzero(held), "rollouts": through, "first": first})
        size, prefixes = size + len(first), prefixes + len(new)
    sizes = [len(level["first"]) for level in levels]
    types = {"parent": np.int32, "token": np.int32, "number": np.int64, "rollouts": np.int64, "first": np.int64}
    joined = {name: np.concatenate([level[name] for level in levels]).astype(type_) for name, type_ in types.items()}
    return joined | {"depth": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)}


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
    token_ids: Sequence[Tokens],
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
        first_of: dict[bytes, int] = {}
        for i in shuffled:
            first_of.setdefault(np.asarray(token_ids[i], dtype=np.int32).tobytes(), i)
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
