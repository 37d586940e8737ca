"""Speed of gradients and alignment with a large vocabulary, for all default objectives and conventions.

Log-probabilities and rollouts are synthetic and generated block by block: at every node, at least `CHILDREN` of the
student's most probable tokens have enough visits to be in S_u, so no node is cheap for lack of rollouts. Generating a
block is not timed. Peak memory is that of the process and includes the distributions of one block, just as a question's
are in memory while it is scored. Parts are measured in CPU time, as they run in several threads.

    python -m benchmarks.analysis [--nodes 10000] [--vocabulary 50000] [--teachers 8]
"""

import argparse
import os
import platform
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from threading import Lock
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.distributions import rows_of
from odd.analysis import teacher_scores
from odd.analysis.question_tree import QuestionTree
from odd.analysis.teacher_scores import score_teachers
from odd.config import AnalysisConfig
from odd.method import sparse_rows
from odd.rollouts.sampling import Rollout

WHOLE = 10_000
"""Nodes of the full job; fewer are a sample of it."""
PARTS: dict[str, tuple[type, str]] = {
    "reading the vocabulary": (sparse_rows._Reader, "__init__"),
    "gradients at the children, posterior draws": (teacher_scores._Block, "_cut"),
    "scores and intervals under all conventions": (teacher_scores._Block, "_score"),
}
CHILDREN = 4
PATHS, LENGTH = 4, 25
BLOCK = PATHS * LENGTH
"""Nodes scored together, like those of one question."""
SPREAD = 3.0
"""Standard deviation of the student's logits; a teacher adds noise with a third of it."""


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Convert logits to log-probabilities per row, float32, in place."""
    logits -= logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True, dtype=np.float64)).astype(np.float32)
    return logits


def make_block(
    vocabulary: int, teachers: int, rng: np.random.Generator
) -> tuple[list[Rollout], list[int], list[np.ndarray], dict[str, list[np.ndarray]]]:
    """Return a question's rollouts, its paths, and the student's and teachers' distributions, float32 (T, V) each."""
    logits = [SPREAD * rng.standard_normal((LENGTH, vocabulary), dtype=np.float32) for _ in range(PATHS)]
    log_q = {
        f"teacher {m}": [
            log_softmax(rows + SPREAD / 3 * rng.standard_normal(rows.shape, dtype=np.float32)) for rows in logits
        ]
        for m in range(teachers)
    }
    log_p = [log_softmax(rows) for rows in logits]
    config = AnalysisConfig()
    rollouts, paths = [], []
    for rows in log_p:
        children = np.argpartition(-rows, CHILDREN, axis=-1)[:, : CHILDREN + 1]
        path = tuple(children[:, 0].tolist())
        paths.append(len(rollouts))
        rollouts.append(_rollout(path, 0, rng))
        for position, tokens in enumerate(children.tolist()):
            prefixes = [(*path[:position], token) for token in tokens for _ in range(config.n_sig)][
                : -config.n_sig // 2
            ]
            rollouts += [_rollout(prefix, position, rng) for prefix in prefixes]
    return rollouts, paths, log_p, log_q


def tree_of(
    rollouts: list[Rollout],
    paths: list[int],
    log_p: list[np.ndarray],
    log_q: dict[str, list[np.ndarray]],
    config: AnalysisConfig,
) -> QuestionTree:
    """Build the tree of a block from `make_block`."""
    tokens = [rollout.token_ids for rollout in rollouts]
    read = {name: rows.__getitem__ for name, rows in log_q.items()}
    rows = rows_of(tokens, paths, log_p.__getitem__, read, config.objectives)
    return QuestionTree("made-up", rollouts, paths, rows, config)


def _rollout(token_ids: tuple[int, ...], launch: int, rng: np.random.Generator) -> Rollout:
    """A rollout that ends right after its launch with a token drawn by the student, as sampled objectives need it."""
    stage, won = "targeted" if launch else "initial", bool(rng.random() < 0.5)
    tokens, log_probs = np.array(token_ids, np.int32), np.zeros(len(token_ids), np.float32)
    return Rollout(stage, 0, launch, tokens, log_probs, "", None, won, False)


@contextmanager
def timed_parts() -> Iterator[dict[str, float]]:
    """Measure the CPU seconds spent in each of `PARTS` within the context, over all threads."""
    spent, adding = dict.fromkeys(PARTS, 0.0), Lock()

    def timed(part: str, work: Callable) -> Callable:
        def call(*args: object) -> object:
            started = time.thread_time()
            try:
                return work(*args)
            finally:
                took = time.thread_time() - started
                with adding:
                    spent[part] += took

        return call

    with ExitStack() as stack:
        for part, (owner, name) in PARTS.items():
            stack.enter_context(patch.object(owner, name, timed(part, getattr(owner, name))))
        yield spent


def measure(nodes: int, vocabulary: int, teachers: int) -> tuple[int, float, dict[str, float]]:
    """Return the nodes scored (at least `nodes`), wall-clock seconds, and CPU seconds by part."""
    config = AnalysisConfig()
    rng, scored, seconds, processor = np.random.default_rng(0), 0, 0.0, 0.0
    with timed_parts() as spent:
        while scored < nodes:
            rollouts, paths, log_p, log_q = make_block(vocabulary, teachers, rng)
            started, own = time.perf_counter(), time.process_time()
            tree = tree_of(rollouts, paths, log_p, log_q, config)
            score_teachers(tree)
            seconds += time.perf_counter() - started
            processor += time.process_time() - own
            scored += len(tree.places)
            del tree, log_p, log_q  # keep only one block in memory
    return scored, seconds, spent | {"tables and the rest": processor - sum(spent.values())}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis")
    parser.add_argument("--nodes", type=int, default=WHOLE)
    parser.add_argument("--vocabulary", type=int, default=50_000)
    parser.add_argument("--teachers", type=int, default=8)
    chosen = parser.parse_args()
    nodes, seconds, parts = measure(chosen.nodes, chosen.vocabulary, chosen.teachers)
    config, peak = AnalysisConfig(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console = Console()
    console.print(f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    job = f"{chosen.vocabulary:,} tokens × {chosen.teachers} teachers"
    scores = f"{len(config.objectives)} objectives, {len(config.conventions)} conventions, {CHILDREN} children"
    sample = f"a sample of the job of {WHOLE:,} nodes" if nodes < WHOLE else "the full job"
    console.print(f"{nodes:,} nodes × {job} ({scores}): {sample}")
    console.print(f"{seconds:.1f} s, {1e3 * seconds / nodes:.2f} ms per node, peak memory {peak:,.0f} MB")
    table = Table("part", "share of CPU time")
    for part, spent in parts.items():
        table.add_row(part, f"{100 * spent / sum(parts.values()):.0f}%")
    console.print(table)


if __name__ == "__main__":
    main()
