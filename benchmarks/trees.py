"""Time and memory of the tree of one question with many long rollouts, and the size of its run file.

The rollouts are launched from prefixes of four paths, and every one continues with random tokens, so most nodes are
visited once, as with long responses of a model. It is measured in a process of its own. Memory is what the process
holds at most, minus what it holds before there are rollouts: these are included. As in a run, targeted rollouts are cut
before the tree is analysed, unless all tokens are to be stored.

    python -m benchmarks.trees [--rollouts 20000] [--length 2000] [--pairs 400] [--store shared|all]
"""

import argparse
import os
import platform
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from odd.analysis.path_rows import PathRows
from odd.analysis.question_tree import QuestionTree, rollout_tree
from odd.config import AnalysisConfig, StorageConfig
from odd.method.sparse_rows import SparseRow
from odd.rollouts.cutting import cut, drawn_whole
from odd.rollouts.sampling import Rollout
from odd.store import RunWriter
from odd.store.rows import rollout_rows

PATHS, INITIAL, CHUNK = 4, 200, 512
VOCABULARY = np.sort(np.random.default_rng(1).choice(151_936, 1000, replace=False)).astype(np.int32)
"""Tokens that continuations are drawn from: some of Qwen3's, so that ids are as large as its."""
SPELLINGS = np.array([f" {token:03x}" for token in range(len(VOCABULARY))], dtype="S4")


@dataclass
class Measured:
    """Seconds of each part, bytes that the process held at most, bytes of the run file, and number of stored nodes."""

    seconds: dict[str, float] = field(default_factory=dict)
    memory: int = 0
    file: int = 0
    nodes: int = 0

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Measure a part."""
        started = time.perf_counter()
        yield
        self.seconds[part] = time.perf_counter() - started


def made_up(count: int, length: int, pairs: int, rng: np.random.Generator) -> Iterator[Rollout]:
    """Yield initial rollouts, the first of which are the paths, and targeted ones launched from `pairs` prefixes."""
    paths = [_tokens(length, rng) for _ in range(PATHS)]
    launches = [
        np.append(paths[pair % PATHS][: position - 1], _tokens(1, rng))
        for pair, position in enumerate(np.linspace(1, length - 1, pairs).astype(int))
    ]
    for number in range(count):
        prefix = paths[0][:0] if number < INITIAL else launches[(number - INITIAL) * pairs // (count - INITIAL)]
        tokens = paths[number] if number < PATHS else np.append(prefix, _tokens(length - len(prefix), rng))
        log_probs = np.full(length, -0.5, np.float32)
        log_probs[: len(prefix)] = np.nan
        log_probs[len(prefix) :] = -rng.exponential(size=length - len(prefix))
        yield Rollout(
            stage="targeted" if len(prefix) else "initial",
            chunk=number // CHUNK,
            launch=len(prefix),
            token_ids=tokens,
            log_probs=log_probs,
            text=SPELLINGS[np.searchsorted(VOCABULARY, tokens)].tobytes().decode(),
            answer="1",
            correct=bool(rng.random() < 0.5),
            truncated=False,
        )


def _tokens(length: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(VOCABULARY, size=length)


def path_rows(paths: list[Rollout]) -> PathRows:
    """Return a student's distributions along the paths: the same one everywhere."""
    log_p = np.full(len(VOCABULARY), -np.log(len(VOCABULARY)), np.float32)
    nothing = np.empty(0)
    row = SparseRow(VOCABULARY.astype(np.int64), log_p, np.empty((0, len(log_p))), np.zeros(()), nothing, whole=False)
    return PathRows((), [{1.0: row}], [np.zeros(path.length, dtype=np.int64) for path in paths])


def measure(count: int, length: int, pairs: int, store: str) -> Measured:
    """Measure one size, in this process."""
    found, rng, before = Measured(), np.random.default_rng(0), _resident()
    with found.timed("making up the rollouts"):
        rollouts = list(made_up(count, length, pairs, rng))
    paths = list(range(PATHS))
    with found.timed("tree"):
        tree = rollout_tree(rollouts, paths)
    with found.timed("cutting"):
        if store == "shared":
            whole = [True] * INITIAL + drawn_whole("made up", rollouts[INITIAL:], 0, StorageConfig().whole)
            rollouts = cut(rollouts, tree.kept, whole)
    del tree
    rows = path_rows(rollouts[:PATHS])
    with found.timed("QuestionTree"):
        tree = QuestionTree("made up", rollouts, paths, rows, AnalysisConfig())
    with found.timed("its tables"):
        tables = tree.tables()
    found.nodes = len(tables["nodes"])
    with tempfile.TemporaryDirectory() as folder, RunWriter(Path(folder), "made-up-00000000") as writer:
        with found.timed("writing the tables"):
            for table, frame in tables.items():
                writer.insert(table, frame.assign(question=0))
        with found.timed("writing the rollouts"):
            for start in range(0, count, CHUNK):
                writer.insert("rollouts", rollout_rows(0, start, rollouts[start : start + CHUNK]))
            writer.finish()
        found.file = writer.published.stat().st_size
    found.memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return found


def _resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trees")
    parser.add_argument("--rollouts", type=int, default=20_000)
    parser.add_argument("--length", type=int, default=2000)
    parser.add_argument("--pairs", type=int, default=400)
    parser.add_argument("--store", choices=("shared", "all"), default="shared")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        found = process.submit(measure, chosen.rollouts, chosen.length, chosen.pairs, chosen.store).result()
    console = Console()
    console.print(f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    size = f"{chosen.rollouts:,} rollouts × {chosen.length:,} tokens, {chosen.pairs} launch prefixes"
    console.print(f"{size}, stored: {chosen.store}")
    table = Table("part", "seconds")
    for part, seconds in found.seconds.items():
        table.add_row(part, f"{seconds:.1f}")
    console.print(table)
    console.print(f"peak memory {found.memory / 1e9:.2f} GB, {found.nodes:,} stored nodes, {found.file / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
