"""What the benchmarks of embedded models share: which questions are asked, and what stands under a table."""

import os
import platform
from datetime import date

import torch


def question_source(model: str) -> str:
    """The questions that an embedded model is asked."""
    return "smollm2" if model == "smollm2" else "tiny-heldout"


def conditions(model: str, repeats: int) -> str:
    """Under what conditions a table was measured."""
    machine = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, {platform.machine()}"
    return f"{model}, medians of {repeats}; {machine}, {date.today()}"
