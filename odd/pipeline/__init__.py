"""The stages of a run in order: sample, plan, target, score, publish; each can be interrupted and taken up again."""

from odd.pipeline.progress import Progress, ProgressFile
from odd.pipeline.screening import screen
from odd.pipeline.worker import run, teach

__all__ = ["Progress", "ProgressFile", "run", "screen", "teach"]
