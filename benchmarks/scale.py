"""Memory and time of the steps that grow with the vocabulary, with responses, and with the number of teachers.

Models have random weights and the vocabulary of Qwen3. Every case runs in a process of its own; memory is its peak
above what it has after loading the models, or before there are rollouts. `benchmarks.trees` has the parts of the cases
of one question's rollouts, `benchmarks.dashboard --long` the pages that show them.

    python -m benchmarks.scale [--small] [CASE ...]
"""

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from transformers import Qwen3Config, Qwen3ForCausalLM

from benchmarks import trees
from benchmarks.conditions import conditions
from odd.analysis.path_rows import read_path_rows
from odd.config import AnalysisConfig
from odd.models.transformers.engine import TransformersEngine
from odd.text import size

VOCABULARY = 151_936
"""Entries of Qwen3's vocabulary."""


@dataclass(frozen=True)
class Cost:
    """Seconds, peak memory in bytes above the start, and bytes of the run file if there is one."""

    seconds: float
    memory: int
    file: int | None = None


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        what: what is done, with its size.
        run: does it.
        memory: target upper bound in bytes.
        seconds: target upper bound; None without one.
        file: target upper bound in bytes; None without one.
    """

    what: str
    run: Callable[[], Cost]
    memory: float
    seconds: float | None = None
    file: float | None = None


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


def random_model(seed: int) -> TransformersEngine:
    """A model of 5 million random weights, peaked like a language model."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        initializer_range=0.7,
    )
    return TransformersEngine(f"random {seed}", Qwen3ForCausalLM(config), VOCABULARY, frozenset({0}))


def _job(paths: int, length: int) -> tuple[list[int], list[tuple[int, ...]], list[list[np.ndarray]]]:
    """A prompt of 100 random tokens, random responses, and the tokens that rows must keep along them."""
    rng = np.random.default_rng(0)
    prompt = rng.integers(1, VOCABULARY, 100).tolist()
    responses = [tuple(rng.integers(1, VOCABULARY, length).tolist()) for _ in range(paths)]
    return prompt, responses, [[np.array([token]) for token in response] for response in responses]


def reading(paths: int, length: int, teachers: int) -> Cost:
    """Read paths with a student and its teachers, and reduce the distributions to rows."""
    models = [random_model(seed) for seed in range(1 + teachers)]
    prompt, responses, wanted = _job(paths, length)
    student, *others = (model.read(prompt, responses) for model in models)
    named = {f"teacher {i}": slices for i, slices in enumerate(others)}
    with measured() as cost:
        read_path_rows(responses, student, named, wanted, AnalysisConfig().objectives, tau=0.01)
    return cost[0]


def taking_turns(paths: int, length: int, teachers: int) -> Cost:
    """Record the paths with one model after the other, and reduce the recorded distributions to rows."""
    prompt, responses, wanted = _job(paths, length)
    with measured() as cost:
        slices = [random_model(seed).record(prompt, responses).read() for seed in range(1 + teachers)]
        named = {f"teacher {i}": read for i, read in enumerate(slices[1:])}
        read_path_rows(responses, slices[0], named, wanted, AnalysisConfig().objectives, tau=0.01)
    return cost[0]


def building(rollouts: int, length: int) -> Cost:
    """Build the tree of one question's rollouts, and write its tables and the rollouts."""
    found = trees.measure(rollouts, length, pairs=400, store="shared")
    return Cost(sum(found.seconds.values()) - found.seconds["making up the rollouts"], found.memory, found.file)


def cases(small: bool) -> dict[str, Case]:
    """The rows of the table, by name."""
    length = 100 if small else 1500
    sizes = [(length, 2), (length, 8), (4 * length // 3, 8)]
    found = {
        f"read-{length}-{teachers}": Case(
            f"4 paths x {length:,} tokens x {VOCABULARY:,} entries, student and {teachers} teachers",
            partial(reading, 4, length, teachers),
            1.5e9,
        )
        for length, teachers in sizes
    }
    name = "one at a time"
    found["turns"] = Case(
        f"4 paths x {length:,} tokens, 8 teachers, {name}", partial(taking_turns, 4, length, 8), 1.5e9
    )
    tree_sizes = [(2_000, 200, 1.5e9, 30.0, None)] if small else [
        (20_000, 2_000, 1.5e9, 30.0, None), (50_000, 2_000, 6e9, None, 300e6), (50_000, 4_000, 6e9, 300.0, None)
    ]  # fmt: skip
    for rollouts, length, memory, seconds, file in tree_sizes:
        what = f"{rollouts:,} rollouts x {length:,} tokens: tree, tables, writing"
        found[f"tree-{rollouts}-{length}"] = Case(what, partial(building, rollouts, length), memory, seconds, file)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale")
    parser.add_argument("--small", action="store_true", help="shorter responses")
    parser.add_argument("case", nargs="*", help="only these cases")
    chosen = parser.parse_args()
    table = Table("case", "memory", "goal", "seconds", "goal", "run file", "goal")
    for name, case in cases(chosen.small).items():
        if chosen.case and name not in chosen.case:
            continue
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            cost = process.submit(case.run).result()
        goal = "" if case.seconds is None else f"{case.seconds:,.0f}"
        files = ("" if one is None else size(round(one)) for one in (cost.file, case.file))
        table.add_row(case.what, size(cost.memory), size(round(case.memory)), f"{cost.seconds:,.0f}", goal, *files)
    console = Console()
    console.print(table)
    console.print(conditions("random weights", 1))


if __name__ == "__main__":
    main()
