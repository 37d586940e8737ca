"""Models shared by the tests of rollouts."""

from tests.models.conftest import tiny

__all__ = ["tiny"]
