"""From a model's name to a loaded model."""

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


def hf_model() -> "type[HFModel]":
    """Import torch and transformers, which takes seconds."""
    from odd.models.transformers.hf import HFModel

    return HFModel
