"""Shared by the benchmarks of embedded models: their questions, and the line below a table."""

import os
import platform
from datetime import date

import torch


def question_source(model: str) -> str:
    """The question source for an embedded model."""
    return "smollm2" if model == "smollm2" else "tiny-heldout"


def conditions(model: str, repeats: int) -> str:
    """Describe the conditions under which a table was measured."""
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.machine()}"
    return f"{model}, medians of {repeats}; {machine}, {date.today()}"
