"""Hidden states along responses, kept in a file, from which distributions follow without the rest of the model."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from odd.models.transformers.batch import log_softmax
from odd.models.transformers.head import LastLayer


@dataclass(frozen=True)
class Slicing:
    """How states become distributions.

    Attributes:
        name: the user's name for the model.
        size: V; distributions are over the first V tokens.
        room: number of states of a forward pass.
        temperature: temperature of the distributions.
    """

    name: str
    size: int
    room: int
    temperature: float


class Pass(NamedTuple):
    """States of a forward pass, of which the first `known` were in an earlier one."""

    states: torch.Tensor
    known: int = 0


def distributions(last: LastLayer, one: Pass, slicing: Slicing) -> Iterator[np.ndarray]:
    """Yield log-softmax in float32 after each new state of a forward pass, (n, V) per slice.

    Raises:
        OddError: the model returned NaN.
    """
    for part in last.parts(one.states, slicing.room):
        if part.stop <= one.known:
            continue
        # slices are the same whatever is known, since the last bits of a product depend on its size
        logits = last.logits(one.states[part])[max(0, one.known - part.start) :, : slicing.size]
        probs = log_softmax(logits, slicing.temperature, slicing.name).cpu().numpy()
        del logits  # a suspended generator would keep it in memory
        yield probs


class StateRecording:
    """States of forward passes in a temporary file, which is gone with the recording."""

    def __init__(self, last: LastLayer, passes: Iterable[Pass], slicing: Slicing) -> None:
        """Run the passes."""
        self._last, self._slicing = last, slicing
        self._shapes: list[tuple[torch.Size, int]] = []
        self._dtype, self._device = torch.float32, torch.device("cpu")
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the recording
        for states, known in passes:
            self._shapes.append((states.shape, known))
            self._dtype, self._device = states.dtype, states.device
            states.float().cpu().numpy().tofile(self._file)

    @torch.inference_mode()
    def read(self) -> Iterator[np.ndarray]:
        """Yield the same slices as the model's `read`.

        Raises:
            OddError: the model returned NaN.
        """
        self._file.seek(0)
        for shape, known in self._shapes:
            read = np.fromfile(self._file, dtype=np.float32, count=shape.numel()).reshape(shape)
            states = torch.from_numpy(read).to(self._device, self._dtype)
            yield from distributions(self._last, Pass(states, known), self._slicing)
