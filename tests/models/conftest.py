"""Models shared by the tests: the embedded student, and SmolLM2, converted once a session."""

import pytest

from odd.config import ModelConfig
from odd.models.embedded import embedded_path
from odd.models.registry import load_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The embedded student. Shared: tests that change it copy it first."""
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="session")
def smollm2_cache(tmp_path_factory):
    """A cache in which SmolLM2 is ready."""
    cache = tmp_path_factory.mktemp("smollm2")
    embedded_path("smollm2", cache)
    return cache
