"""From a model's name to a loaded model."""

import atexit
import gc
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from odd.config import ModelConfig
from odd.models.embedded import EMBEDDED, embedded_path

if TYPE_CHECKING:
    from odd.models.transformers.hf import HFModel


def load_model(config: ModelConfig, cache: Path) -> "HFModel":
    """Load an embedded model, a local folder, or a hub model.

    Raises:
        OddError: there is no such model, or a package it needs is missing.
    """
    location = embedded_path(config.name, cache) if config.name in EMBEDDED else None
    # torch and transformers take seconds to import: mistakes in settings and questions are told before
    return hf_model().load(config, location)


@cache
def hf_model() -> "type[HFModel]":
    """Import torch and transformers without the garbage collector: what they make is no garbage, then or later.

    It would look through a growing million of objects again and again, a quarter of the time that the import takes.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        from odd.models.transformers.hf import HFModel
    finally:
        if collecting:
            gc.enable()
    gc.freeze()
    atexit.register(gc.unfreeze)  # else they are not taken down in order at the end, of which their libraries complain
    return HFModel
