"""Distillation objectives (method §3), one file each: what they need, their losses and their gradients.

A file in this folder that defines a subclass of `Objective` adds an objective; nothing else has to know of it.
"""

from importlib import import_module
from pkgutil import iter_modules

from odd.method.objectives.base import AnyObjective, Objective, Rollouts, default_objectives, objective

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")

__all__ = ["AnyObjective", "Objective", "Rollouts", "default_objectives", "objective"]
