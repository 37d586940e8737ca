"""From a model's name to a loaded model."""

from pathlib import Path

from odd.config import ModelConfig
from odd.models.embedded import EMBEDDED, embedded_path
from odd.models.hf import HFModel


def load_model(config: ModelConfig, cache: Path) -> HFModel:
    """Load an embedded model, a local folder, or a hub model.

    Raises:
        OddError: there is no such model, or a package it needs is missing.
    """
    location = embedded_path(config.name, cache) if config.name in EMBEDDED else None
    return HFModel.load(config, location)
