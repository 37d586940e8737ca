"""How a model attends, changed for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from transformers import PreTrainedModel


@contextmanager
def attending_with(model: PreTrainedModel, implementation: str) -> Iterator[None]:
    """Make a model use a registered attention function within this context."""
    before = cast(str, model.config._attn_implementation)
    model.set_attn_implementation(implementation)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
