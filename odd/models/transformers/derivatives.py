"""Derivatives of a transformers model in its weights, along responses (method §9).

Two products with the Jacobian of the logits suffice: with a direction of the weights from the right, by forward-mode
differentiation, and with a gradient in the logits from the left, by backpropagation. Neither needs all logits of a
pass at once: the last layer is applied to slices of its states. Both are in float32 whatever the model's dtype.

Flash attention has no forward derivative, so models attend in the plain way ("eager") here. A model with another
operator without one is stepped along the direction instead, at two step sizes that must agree.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
import re2
import torch
from torch.autograd import forward_ad
from torch.func import functional_call

from odd.errors import OddError
from odd.method.tree import distinct_places
from odd.models.base import Moved, Place, check_window
from odd.models.transformers.attention import attending_with
from odd.models.transformers.batch import log_softmax
from odd.models.transformers.head import Head

PASS = 2048
"""Tokens of a forward pass, prompts included."""
STEP = 0.1
"""Length of the longer step, as a share of ‖weights‖ / 100, where derivatives are differences."""
TOLERANCE = 0.02
"""Relative difference up to which derivatives from two step sizes agree."""
Weights = dict[int, torch.Tensor]
"""Values of parameters by `id` of the parameter."""


class TransformersDerivatives:
    """Derivatives of one model in all of its weights or some of them; see `odd.models.base.Derivatives`.

    Args:
        head: the model in two parts.
        name: name given by the user.
        vocabulary_size: V; distributions are over the first V tokens.
        max_context: tokens that prompt and response may have together; None for any number.
        pattern: regular expression that the names of the weights must match; None: all.
        memory: bytes of arrays of vocabulary size in memory at a time.

    Raises:
        OddError: no weight matches.
    """

    def __init__(
        self, head: Head, name: str, vocabulary_size: int, max_context: int | None, pattern: str | None, memory: int
    ) -> None:
        self.head, self.model, self.name, self.memory = head, head.model, name, memory
        self.vocabulary_size, self.max_context = vocabulary_size, max_context
        named = dict(self.model.named_parameters())
        self.chosen = {key: one for key, one in named.items() if pattern is None or re2.search(pattern, key)}
        if not self.chosen:
            raise OddError(
                f"model {name!r} has no weights that match {pattern!r}; some of its names are "
                f"{', '.join(list(named)[:4])}"
            )
        self.weights: Weights = {id(one): one.detach().float() for one in named.values()}
        self.leaves = {id(one): self.weights[id(one)].detach().requires_grad_() for one in self.chosen.values()}
        self.size = sum(one.numel() for one in self.chosen.values())

    def passes(
        self,
        prompt: Sequence[int],
        responses: Sequence[Sequence[int]],
        temperature: float,
        directions: Sequence[np.ndarray] = (),
        pairs: int = 0,
    ) -> Iterator["DerivativePass"]:
        """Run the model along responses; see `odd.models.base.Derivatives`.

        Raises:
            OddError: prompt and a response exceed the model's window, or the derivatives are not exact enough.
        """
        longest = max(map(len, responses), default=0)
        check_window(self.max_context, self.name, f"model {self.name!r}", len(prompt), longest)
        tangents = [self._split(direction) for direction in directions]
        each = 8 * self.vocabulary_size * (1 + len(directions) + pairs)
        for places in self._batches(prompt, responses):
            yield DerivativePass(self, prompt, responses, places, temperature, tangents, max(1, self.memory // each))

    def _batches(self, prompt: Sequence[int], responses: Sequence[Sequence[int]]) -> Iterator[list[Place]]:
        """Group the distinct places by forward pass; a response is read in one pass."""
        batch: list[Place] = []
        rows, longest = 0, 0
        for number, group in groupby(distinct_places(responses), key=lambda place: place[0]):
            length = len(prompt) + len(responses[number]) - 1
            if batch and (rows + 1) * max(longest, length) > PASS:
                yield batch
                batch, rows, longest = [], 0, 0
            batch += group
            rows, longest = rows + 1, max(longest, length)
        if batch:
            yield batch

    def _split(self, direction: np.ndarray) -> Weights:
        """Split a direction, (size,), into the shapes of the chosen weights."""
        flat = torch.from_numpy(np.ascontiguousarray(direction, dtype=np.float32)).to(self.model.device)
        parts = flat.split([one.numel() for one in self.chosen.values()])
        return {id(one): part.view_as(one) for one, part in zip(self.chosen.values(), parts, strict=True)}

    def states(self, ids: torch.Tensor, mask: torch.Tensor, changed: Mapping[int, torch.Tensor]) -> torch.Tensor:
        """Return what the last layer takes, (N, T, D), or all logits if it is not separate, under changed weights."""
        body = self.model if self.head.last.layer is None else self.model.base_model
        given = {key: changed.get(id(one), self.weights[id(one)]) for key, one in body.named_parameters()}
        asked = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
        with attending_with(self.model, "eager"):
            found = functional_call(body, given, (), asked)
        return found.logits if self.head.last.layer is None else found.last_hidden_state

    @torch.no_grad()
    def moved(self, ids: torch.Tensor, mask: torch.Tensor, tangent: Weights) -> torch.Tensor:
        """Return the derivative of the states along a direction, (N, T, D).

        Raises:
            OddError: two step sizes give different derivatives.
        """
        try:
            with forward_ad.dual_level():
                dual = {key: forward_ad.make_dual(self.weights[key], one) for key, one in tangent.items()}
                found = forward_ad.unpack_dual(self.states(ids, mask, dual)).tangent
                return torch.zeros_like(self.states(ids, mask, {})) if found is None else found
        except NotImplementedError:  # an operator without a forward derivative
            return self._stepped(ids, mask, tangent)

    def _stepped(self, ids: torch.Tensor, mask: torch.Tensor, tangent: Weights) -> torch.Tensor:
        """Return the derivative of the states as a difference, if half the step gives the same."""
        length = torch.stack([one.norm() for one in tangent.values()]).norm()
        size = torch.stack([self.weights[key].norm() for key in tangent]).norm()
        if not length:
            return torch.zeros_like(self.states(ids, mask, {}))
        both = []
        for share in (1.0, 0.5):
            step = float(share * STEP * size / 100 / length)
            ends = [
                self.states(ids, mask, {key: self.weights[key] + sign * step * one for key, one in tangent.items()})
                for sign in (1, -1)
            ]
            both.append((ends[0] - ends[1]) / (2 * step))
        apart = float((both[0] - both[1]).norm() / both[1].norm())
        if not apart < TOLERANCE:
            raise OddError(
                f"model {self.name!r}: its derivative differs by {100 * apart:.1f}% between two step sizes, and an "
                "operator of it has no exact one: set dtype to float32"
            )
        return both[1]


class DerivativePass:
    """One forward pass along responses: see `odd.models.base.DerivativePass`."""

    def __init__(
        self,
        model: TransformersDerivatives,
        prompt: Sequence[int],
        responses: Sequence[Sequence[int]],
        places: Sequence[Place],
        temperature: float,
        tangents: Sequence[Weights],
        room: int,
    ) -> None:
        """Run the model; `room` is the number of distributions in memory at a time."""
        self.model, self.places, self.temperature, self.tangents, self.room = model, places, temperature, tangents, room
        numbers = list(dict.fromkeys(number for number, _ in places))
        ids, mask = _padded([(*prompt, *responses[number][:-1]) for number in numbers], model.model.device)
        row_of = {number: row for row, number in enumerate(numbers)}
        rows = torch.tensor([row_of[number] for number, _ in places])
        columns = torch.tensor([len(prompt) - 1 + position for _, position in places])
        self._states = model.states(ids, mask, model.leaves)[rows, columns]
        self._moved = [model.moved(ids, mask, tangent)[rows, columns] for tangent in tangents]
        self._pulled: torch.Tensor | None = None
        # gradients in the weights of the last layer, which states do not depend on
        self._direct: dict[int, torch.Tensor] = {}
        layer = model.head.last.layer
        self._weight_key = None if layer is None else id(layer.weight)
        self._bias_key = None if layer is None or layer.bias is None else id(layer.bias)
        self._weight = None if self._weight_key is None else model.weights[self._weight_key]
        self._bias = None if self._bias_key is None else model.weights[self._bias_key]

    def slices(self) -> Iterator[Moved]:
        """Yield the distributions at the places, and how they move along each direction, slice by slice."""
        for start in range(0, len(self.places), self.room):
            at = slice(start, min(start + self.room, len(self.places)))
            yield self._slice(at)

    @torch.no_grad()
    def _slice(self, at: slice) -> Moved:
        states, size = self._states[at].detach(), self.model.vocabulary_size
        log_p = log_softmax(self._logits(states)[:, :size], self.temperature, self.model.name)
        p, moves = log_p.exp(), []
        for moved, tangent in zip(self._moved, self.tangents, strict=True):
            logits = self._moved_logits(states, moved[at], tangent)[:, :size] / self.temperature
            moves.append(logits - (p * logits).sum(-1, keepdim=True))
        stacked = torch.stack(moves).cpu().numpy() if moves else np.empty((0, *log_p.shape), np.float32)
        return Moved(at, log_p.cpu().numpy(), stacked)

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        return states if self._weight is None else torch.nn.functional.linear(states, self._weight, self._bias)

    def _moved_logits(self, states: torch.Tensor, moved: torch.Tensor, tangent: Weights) -> torch.Tensor:
        """Return the derivative of the logits: of the states, and of the last layer where its weights are chosen."""
        if self._weight is None:
            return moved
        found = moved @ self._weight.T
        if self._weight_key in tangent:
            found = found + states @ tangent[self._weight_key].T
        return found + tangent[self._bias_key] if self._bias_key in tangent else found

    @torch.no_grad()
    def pull(self, at: slice, gradients: np.ndarray) -> None:
        """Add gradients in the logits at a slice of the places, (pairs, n, V), divided by the temperature."""
        given = torch.from_numpy(gradients.astype(np.float32)).to(self._states.device) / self.temperature
        pairs, _, size = given.shape
        if self._pulled is None:
            self._pulled = self._states.new_zeros(pairs, *self._states.shape)
        if self._weight is None:
            self._pulled[:, at, :size] = given
            return
        self._pulled[:, at] = given @ self._weight[:size]
        self._add(self._weight_key, given.transpose(1, 2) @ self._states[at].detach())
        self._add(self._bias_key, given.sum(dim=1))

    def _add(self, key: int | None, gradient: torch.Tensor) -> None:
        """Add a gradient in the first rows of a weight of the last layer, (pairs, V, ...)."""
        if key in self.model.leaves:
            pairs, size, *_ = gradient.shape
            if key not in self._direct:
                self._direct[key] = gradient.new_zeros(pairs, *self.model.weights[key].shape)
            self._direct[key][:, :size] += gradient

    def gradients(self) -> np.ndarray:
        """Return the sums of the added gradients, pulled back to the chosen weights, float32 (pairs, size)."""
        assert self._pulled is not None
        leaves, found = list(self.model.leaves.values()), []
        for pair, pulled in enumerate(self._pulled):
            parts: Sequence[torch.Tensor | None] = [None] * len(leaves)
            if self._states.requires_grad:  # not if only the last layer is chosen
                parts = torch.autograd.grad(self._states, leaves, pulled, retain_graph=True, allow_unused=True)
            whole = []
            for key, leaf, part in zip(self.model.leaves, leaves, parts, strict=True):
                total = torch.zeros_like(leaf) if part is None else part
                whole.append((total + self._direct[key][pair] if key in self._direct else total).reshape(-1))
            found.append(torch.cat(whole))
        return torch.stack(found).cpu().numpy()


def _padded(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids padded on the right and their mask, (N, T)."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=device)
    return ids, mask
