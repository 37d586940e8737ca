"""The last layer of a model apart from the rest, to compute logits for a few positions of a forward pass at a time.

Logits of 512 positions over 151,936 entries are 311 MB, their hidden states 2 MB. Some models scale or clip their
logits after the last layer; these compute all logits of a pass at once.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from transformers import Cache, PreTrainedModel

from odd.models.transformers.packing import packed_forward

SIDE_BY_SIDE = 8
"""Slices that together have as many distributions as one pass: student and teachers are read side by side."""


class LastLayer:
    """Turns the states of a forward pass into logits. It works when the rest of the model is no longer in memory.

    Attributes:
        layer: the last layer; None if the states are logits already.
    """

    def __init__(self, layer: torch.nn.Linear | None, model: PreTrainedModel) -> None:
        """Use the faster copy of the layer's weights if the model has one."""
        self.layer = layer
        self._forward = None if layer is None else packed_forward(model, layer)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Return logits of some of the states, (n, V)."""
        return states if self._forward is None else self._forward(states)

    @staticmethod
    def parts(states: torch.Tensor, room: int) -> Iterator[slice]:
        """Yield slices of states whose logits are computed together; `room` is the number of states of a pass."""
        width = max(1, room // SIDE_BY_SIDE)
        for start in range(0, len(states), width):
            yield slice(start, min(start + width, len(states)))


class Head:
    """A model's forward pass in two parts."""

    def __init__(self, model: PreTrainedModel) -> None:
        """Take a model in evaluation mode."""
        self.model = model

    def states(
        self,
        input_ids: torch.Tensor,
        logits_to_keep: int,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
    ) -> torch.Tensor:
        """Run the model without its last layer, if it can be separated; return what `last` takes, (n, D) or (n, V)."""
        given: dict[str, Any] = {"input_ids": input_ids, "position_ids": position_ids}
        given |= {"past_key_values": past_key_values, "use_cache": past_key_values is not None}
        if self.last.layer is None:
            return self.model(**given, logits_to_keep=logits_to_keep).logits[0]
        return self.model.base_model(**given).last_hidden_state[0, -logits_to_keep:]

    @cached_property
    def last(self) -> LastLayer:
        """The last layer, separate if it alone turns hidden states into the model's logits."""
        layer = self.model.get_output_embeddings()
        if not isinstance(layer, torch.nn.Linear) or self.model.base_model is self.model:
            return LastLayer(None, self.model)
        ids = torch.tensor([[0, 1]], device=self.model.device)
        with torch.inference_mode():
            states = self.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
            same = torch.equal(layer(states), self.model(input_ids=ids, use_cache=False).logits)
        return LastLayer(layer if same else None, self.model)
