"""Hidden states along responses, kept in a file, from which distributions follow without the rest of the model."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from odd.models.transformers.batch import log_softmax
from odd.models.transformers.head import LastLayer


@dataclass(frozen=True)
class Cut:
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


def distributions(last: LastLayer, states: torch.Tensor, cut: Cut) -> Iterator[np.ndarray]:
    """Yield log-softmax in float32 after each state of a forward pass, (n, V) per slice.

    Raises:
        OddError: the model returned NaN.
    """
    for part in last.parts(states, cut.room):
        logits = last.logits(states[part])[:, : cut.size]
        probs = log_softmax(logits, cut.temperature, cut.name).cpu().numpy()
        del logits  # a suspended generator would keep it in memory
        yield probs


class StateRecording:
    """States of forward passes in a temporary file, which is gone with the recording."""

    def __init__(self, last: LastLayer, passes: Iterable[torch.Tensor], cut: Cut) -> None:
        """Run the passes."""
        self._last, self._cut = last, cut
        self._shapes: list[torch.Size] = []
        self._dtype, self._device = torch.float32, torch.device("cpu")
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the recording
        for states in passes:
            self._shapes.append(states.shape)
            self._dtype, self._device = states.dtype, states.device
            states.float().cpu().numpy().tofile(self._file)

    @torch.inference_mode()
    def read(self) -> Iterator[np.ndarray]:
        """Yield the same slices as the model's `read`.

        Raises:
            OddError: the model returned NaN.
        """
        self._file.seek(0)
        for shape in self._shapes:
            read = np.fromfile(self._file, dtype=np.float32, count=shape.numel()).reshape(shape)
            yield from distributions(self._last, torch.from_numpy(read).to(self._device, self._dtype), self._cut)
