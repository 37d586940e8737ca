"""From a model's settings to a loaded model, by the engine that they name."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from odd.config import ModelConfig
from odd.errors import OddError
from odd.models.base import LanguageModel

Load = Callable[[ModelConfig, Path], LanguageModel]

ENGINES: dict[str, str] = {"transformers": "odd.models.transformers.language_model"}
"""By name of the engine, the module whose function `load` makes a model of settings and the cache folder."""


def load_model(config: ModelConfig, cache: Path) -> LanguageModel:
    """Load the model that some settings name.

    Raises:
        OddError: there is no such engine or model, or a package it needs is missing.
    """
    if config.engine not in ENGINES:
        raise OddError(f"model {config.name!r}: there is no engine {config.engine!r}; choose {', '.join(ENGINES)}")
    # torch and transformers take seconds to import: mistakes in settings and questions are told before
    load: Load = import_module(ENGINES[config.engine]).load
    return load(config, cache)
