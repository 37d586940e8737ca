"""Rollouts that training runs wrote down, as the initial rollouts of a run (docs/import.md)."""

from odd.importing.rollouts import Imported, take_rollouts

__all__ = ["Imported", "take_rollouts"]
