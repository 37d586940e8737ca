"""Linear layers on CPUs with oneDNN, on copies of their weights in its memory layout.

torch multiplies float32 matrices with MKL, which leaves part of some processors unused. The copies take as much memory
as the weights (SmolLM2-135M: 533 MB, for a process of 945 MB without them). They live as long as the model, and are
replaced when its weights change.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

LEAST_WORK = 1 << 20
"""Rows times weight entries from which oneDNN is called: below this, its call overhead exceeds the savings.

Measured on weights of 1,024 to 28 million entries with 1 to 512 rows: the break-even point is between 0.8 million (few
rows) and 1.6 million (hundreds), on processors where oneDNN is twice as fast as MKL above it.
"""
SMALLEST = LEAST_WORK >> 9
"""Entries of the smallest weight that is copied: it pays off from 512 rows, and more are rarely read at once."""
MOST_BYTES = 2 << 30
"""Maximum memory for copies, chosen arbitrarily; larger models are left unchanged."""
OPERATORS = ("_reorder_linear_weight", "_linear_pointwise")
"""Private torch operators in use: no public function multiplies by a weight in oneDNN's layout."""

Forward = Callable[[torch.Tensor], torch.Tensor]
State = list[tuple[int, int]]
_known: WeakKeyDictionary[PreTrainedModel, tuple[State, list[Forward]]] = WeakKeyDictionary()


@contextmanager
def packed(model: PreTrainedModel) -> Iterator[None]:
    """Make a model's large linear layers compute on copies of their weights, without gradients, in this context."""
    layers, forwards = _copies(model)
    for layer, forward in zip(layers, forwards, strict=True):
        setattr(layer, "forward", forward)  # noqa: B010
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def packed_forward(model: PreTrainedModel, layer: torch.nn.Linear) -> Forward:
    """Return the forward function of one of a model's layers, on a copy of its weight if `packed` uses one."""
    layers, forwards = _copies(model)
    return next((forward for one, forward in zip(layers, forwards, strict=True) if one is layer), layer)


def _copies(model: PreTrainedModel) -> tuple[list[torch.nn.Linear], list[Forward]]:
    """Return a model's large layers with their forward functions on copies of the weights, made at need."""
    layers = _layers(model)
    state = [(layer.weight.data_ptr(), layer.weight._version) for layer in layers]
    if model not in _known or _known[model][0] != state:
        _known[model] = state, [_forward(layer) for layer in layers]
    return layers, _known[model][1]


def _layers(model: PreTrainedModel) -> list[torch.nn.Linear]:
    """Return the layers that are large enough and can be replaced."""
    if not (torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)):
        return []
    found = [layer for layer in model.modules() if type(layer) is torch.nn.Linear and _suits(layer)]
    return found if sum(layer.weight.nbytes for layer in found) <= MOST_BYTES else []


def _suits(layer: torch.nn.Linear) -> bool:
    weight = layer.weight
    plain = weight.device.type == "cpu" and weight.dtype == torch.float32 and not weight.is_inference()
    return plain and weight.numel() >= SMALLEST and "forward" not in vars(layer)


def _forward(layer: torch.nn.Linear) -> Forward:
    """Return a forward function of a layer on a copy of its weight."""
    plain, bias, width = layer.weight.detach(), layer.bias, layer.out_features
    weight = torch.ops.mkldnn._reorder_linear_weight(plain)

    def forward(states: torch.Tensor) -> torch.Tensor:
        if states.numel() * width < LEAST_WORK:
            return torch.nn.functional.linear(states, plain, bias)
        return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")

    return forward
