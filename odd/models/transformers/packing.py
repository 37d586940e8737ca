"""Linear layers on CPUs by oneDNN, on copies of their weights that are laid out for it.

torch itself multiplies float32 by MKL, which leaves much of some processors unused. The copies take as much memory as
the weights do (SmolLM2-135M: 533 MB, of a process that had 945 MB before). They are kept as long as the model, and made
anew where its weights have changed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedModel

LEAST_WORK = 1 << 20
"""Rows times entries of the weight from which oneDNN is called: for less, a call of it costs more than it saves.

Measured on weights of 1,024 to 28 million entries and 1 to 512 rows: calls are as fast both ways between 0.8 million (a
few rows) and 1.6 million (hundreds), on processors where oneDNN is twice as fast as MKL with more.
"""
SMALLEST = LEAST_WORK >> 9
"""Entries of the smallest weight that is laid out anew: it pays from 512 rows on, which are rarely read at once."""
MOST_BYTES = 2 << 30
"""Most memory for copies, a choice; larger models are left as they are."""
OPERATORS = ("_reorder_linear_weight", "_linear_pointwise")
"""What is called of torch's own: no public function multiplies by a weight that is laid out for oneDNN."""

Forward = Callable[[torch.Tensor], torch.Tensor]
State = list[tuple[int, int]]
_known: WeakKeyDictionary[PreTrainedModel, tuple[State, list[Forward]]] = WeakKeyDictionary()


@contextmanager
def packed(model: PreTrainedModel) -> Iterator[None]:
    """Let large linear layers of a model compute on copies of their weights, without gradients, while this lasts."""
    layers = _layers(model)
    state = [(layer.weight.data_ptr(), layer.weight._version) for layer in layers]
    if model not in _known or _known[model][0] != state:
        _known[model] = state, [_forward(layer) for layer in layers]
    for layer, forward in zip(layers, _known[model][1], strict=True):
        setattr(layer, "forward", forward)  # noqa: B010
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _layers(model: PreTrainedModel) -> list[torch.nn.Linear]:
    """Layers that are worth it and can be replaced."""
    if not (torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)):
        return []
    found = [layer for layer in model.modules() if type(layer) is torch.nn.Linear and _suits(layer)]
    return found if sum(layer.weight.nbytes for layer in found) <= MOST_BYTES else []


def _suits(layer: torch.nn.Linear) -> bool:
    weight = layer.weight
    plain = weight.device.type == "cpu" and weight.dtype == torch.float32 and not weight.is_inference()
    return plain and weight.numel() >= SMALLEST and "forward" not in vars(layer)


def _forward(layer: torch.nn.Linear) -> Forward:
    """What a layer computes, on a copy of its weight."""
    plain, bias, width = layer.weight.detach(), layer.bias, layer.out_features
    weight = torch.ops.mkldnn._reorder_linear_weight(plain)

    def forward(states: torch.Tensor) -> torch.Tensor:
        if states.numel() * width < LEAST_WORK:
            return torch.nn.functional.linear(states, plain, bias)
        return torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")

    return forward
