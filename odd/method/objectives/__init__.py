"""Distillation objectives (method §3), one file each: their inputs, losses and gradients.

To add an objective, add a file to this folder that defines a subclass of `Objective`; no other change is needed.
"""

from importlib import import_module
from pkgutil import iter_modules

from odd.method.objectives.base import AnyObjective, Objective, Rollouts, default_objectives, objective, registered

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")

__all__ = ["AnyObjective", "Objective", "Rollouts", "default_objectives", "objective", "registered"]
