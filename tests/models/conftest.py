"""Models shared by the tests of models."""

import pytest

from odd.config import ModelConfig
from odd.models.registry import load_model


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The embedded student. Shared: tests that change it copy it first."""
    return load_model(ModelConfig(name="tiny-s"), tmp_path_factory.mktemp("unused"))
