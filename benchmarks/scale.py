"""Memory and time of the steps that grow with the vocabulary, with responses, and with the number of teachers.

Models have random weights and the vocabulary of Qwen3. Every case runs in a process of its own; memory is its peak
above what it has after loading the models.

    python -m benchmarks.scale [--small] [CASE ...]
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from odd.analysis.path_rows import read_path_rows
from odd.config import AnalysisConfig
from odd.models.transformers.engine import TransformersEngine

VOCABULARY = 151_936
"""Entries of Qwen3's vocabulary."""


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        what: what is done, with its size.
        run: does it, and returns seconds and bytes.
        memory: target upper bound in bytes.
        seconds: target upper bound; None if there is none.
    """

    what: str
    run: Callable[[], "Cost"]
    memory: float
    seconds: float | None = None


@dataclass(frozen=True)
class Cost:
    """Seconds, and peak memory in bytes above the start."""

    seconds: float
    memory: int


@contextmanager
def measured() -> Iterator[list[Cost]]:
    """Measure what happens in this context; the cost is appended to the list on exit."""
    Path("/proc/self/clear_refs").write_text("5")  # forget the earlier peak
    before, found, started = _status("VmRSS"), list[Cost](), time.perf_counter()
    yield found
    found.append(Cost(time.perf_counter() - started, _status("VmHWM") - before))


def _status(name: str) -> int:
    """Bytes of an entry of /proc/self/status."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) << 10


def random_model(seed: int, vocabulary: int = VOCABULARY, window: int = 8192) -> TransformersEngine:
    """A model of 5 million random weights, peaked like a language model."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=window,
        tie_word_embeddings=True,
        initializer_range=0.7,
    )
    return TransformersEngine(f"random {seed}", Qwen3ForCausalLM(config), vocabulary, frozenset({0}))


def reading(paths: int, length: int, teachers: int, vocabulary: int = VOCABULARY) -> Cost:
    """Read paths with a student and its teachers, and reduce the distributions to rows."""
    rng = np.random.default_rng(0)
    models = [random_model(seed, vocabulary) for seed in range(1 + teachers)]
    prompt = rng.integers(1, vocabulary, 100).tolist()
    responses = [tuple(rng.integers(1, vocabulary, length).tolist()) for _ in range(paths)]
    wanted = [[np.array([token]) for token in response] for response in responses]
    student, *others = (model.read(prompt, responses) for model in models)
    named = {f"teacher {i}": slices for i, slices in enumerate(others)}
    with measured() as cost:
        read_path_rows(responses, student, named, wanted, AnalysisConfig().objectives, tau=0.01)
    return cost[0]
