"""Load a model with the engine named in its settings."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from odd.config import ModelConfig
from odd.config.models import SERVER_ENGINE
from odd.errors import OddError
from odd.models.base import LanguageModel, ModelSize

Load = Callable[[ModelConfig, Path], LanguageModel]
Measure = Callable[[ModelConfig, Path], ModelSize | None]

ENGINES: dict[str, str] = {
    "transformers": "odd.models.transformers.language_model",
    SERVER_ENGINE: "odd.models.server.language_model",
}
"""Engine name to module. Its functions `load` and `model_size` take model settings and the cache folder, and return a
model and its memory."""


def load_model(config: ModelConfig, cache: Path) -> LanguageModel:
    """Load a model.

    Raises:
        OddError: there is no such engine or model, or a package it needs is missing.
    """
    # torch and transformers take seconds to import: errors in settings and questions are reported before that
    load: Load = import_module(_engine(config)).load
    model = load(config, cache)
    return model if config.thinking_marks is None else replace(model, thinking_marks=config.thinking_marks)


def model_size(config: ModelConfig, cache: Path) -> ModelSize | None:
    """Return the memory that a model will need, without loading it; None if that is not known.

    Raises:
        OddError: there is no such engine or embedded model.
    """
    measure: Measure = import_module(_engine(config)).model_size
    return measure(config, cache)


def _engine(config: ModelConfig) -> str:
    if config.engine not in ENGINES:
        raise OddError(f"model {config.name!r}: there is no engine {config.engine!r}; choose {', '.join(ENGINES)}")
    return ENGINES[config.engine]
