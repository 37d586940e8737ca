"""Load a model with the engine named in its settings."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from odd.config import ModelConfig
from odd.errors import OddError
from odd.models.base import LanguageModel

Load = Callable[[ModelConfig, Path], LanguageModel]

ENGINES: dict[str, str] = {"transformers": "odd.models.transformers.language_model"}
"""Engine name to module; its function `load` takes model settings and the cache folder and returns a model."""


def load_model(config: ModelConfig, cache: Path) -> LanguageModel:
    """Load a model.

    Raises:
        OddError: there is no such engine or model, or a package it needs is missing.
    """
    if config.engine not in ENGINES:
        raise OddError(f"model {config.name!r}: there is no engine {config.engine!r}; choose {', '.join(ENGINES)}")
    # torch and transformers take seconds to import: errors in settings and questions are reported before that
    load: Load = import_module(ENGINES[config.engine]).load
    model = load(config, cache)
    return model if config.thinking_marks is None else replace(model, thinking_marks=config.thinking_marks)
