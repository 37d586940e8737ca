"""Speed and memory of each embedded model when sampling and scoring, and the time of complete runs by stage.

Each model is measured in a separate process, so that the peak memory is its own. Figures are medians of `REPEATS`
repetitions after a warm-up. The last tables come from fresh runs of the presets in `RUNS`, each in a separate process,
measured from process start to end.

    python -m benchmarks.engine            # all
    python -m benchmarks.engine --runs     # the runs only
"""

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from benchmarks.conditions import question_source
from odd.analysis.path_rows import children_along, read_path_rows
from odd.analysis.question_tree import QuestionTree
from odd.analysis.teacher_scores import score_teachers
from odd.config import PRESETS, AnalysisConfig, ModelConfig, QuestionsConfig, SamplingConfig
from odd.method.tree import build_tree
from odd.models.embedded import EMBEDDED
from odd.models.registry import ENGINES, load_model
from odd.pipeline.progress import Progress
from odd.pipeline.stages import Stage
from odd.pipeline.worker import run
from odd.questions.sources import load_questions
from odd.rollouts.sampling import sample_chunk
from odd.store import RunReader, RunWriter

REPEATS = 3
ROLLOUTS = {"smollm2": 32}
DEFAULT_ROLLOUTS = 256
RUNS = ("demo", "paper")
"""Presets whose runs are broken down by stage, with their default questions."""
WRITING = "insert", "update", "delete", "set_meta", "query", "publish_meanwhile", "finish"
"""Methods of the writer that block a run, besides its transactions."""

Timed = tuple[str, float, int, int]
"""Name, seconds, items, tokens."""


def measure(name: str, cache: Path) -> dict[str, float]:
    """Measure the speeds of one model in this process, and its peak memory in MB."""
    model = load_model(ModelConfig(name=name), cache)
    question = load_questions(QuestionsConfig(source=question_source(name)))[2]
    prompt = model.tokenizer.encode_chat(question.messages())
    sampling = SamplingConfig(max_new_tokens=64)
    rollouts = ROLLOUTS.get(name, DEFAULT_ROLLOUTS)
    labels = ("rollouts/s", "generated tokens/s", "scored tokens/s", "read tokens/s", "nodes/s")
    figures: dict[str, list[float]] = {label: [] for label in labels}
    for repeat in range(REPEATS + 1):
        started = time.perf_counter()
        drawn = sample_chunk(model, question, prompt, [()] * rollouts, sampling, "initial", repeat)
        seconds = time.perf_counter() - started
        paths = sorted(range(rollouts), key=lambda i: -len(drawn[i].token_ids))[:8]
        scoring = time.perf_counter()
        tokens_of = [rollout.token_ids.tolist() for rollout in drawn]
        responses = [tokens_of[i] for i in paths]
        read = list(model.scorer.read(prompt, responses))
        scoring = time.perf_counter() - scoring
        reading = time.perf_counter()
        model.scorer.token_log_probs(prompt, tokens_of, (1.0,))
        reading = time.perf_counter() - reading
        analysing = time.perf_counter()
        config = AnalysisConfig(n_sig=2)
        wanted = children_along(build_tree(tokens_of), paths)
        shifted = {"shifted": [rows[:, ::-1] for rows in read]}
        rows = read_path_rows(responses, read, shifted, wanted, config.objectives)
        tree = QuestionTree(question.id, drawn, paths, rows, config)
        score_teachers(tree)
        analysing = time.perf_counter() - analysing
        if repeat:
            tokens = sum(len(rollout.token_ids) for rollout in drawn)
            figures["rollouts/s"].append(rollouts / seconds)
            figures["generated tokens/s"].append(tokens / seconds)
            figures["read tokens/s"].append(tokens / reading)
            figures["scored tokens/s"].append(sum(map(len, responses)) / scoring)
            figures["nodes/s"].append(len(tree.places) / analysing)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {label: statistics.median(values) for label, values in figures.items()} | {"peak memory, MB": peak}


def run_stages(preset: str, folder: Path) -> list[Timed]:
    """Run a preset in this process and return the times of its stages."""
    importing = time.perf_counter()
    import_module(ENGINES["transformers"])
    started = time.perf_counter()
    loaded: list[float] = []

    def listen(step: Progress) -> None:
        if not loaded:  # the first progress report of a run is its first chunk of rollouts
            loaded.append(time.perf_counter() - started - step.seconds)

    with storing() as stored:
        path = run(PRESETS[preset].model_copy(update={"cache": folder}), listen)
    with RunReader(path) as reader:
        stages = reader.query("timings").groupby("stage", sort=False)[["seconds", "items", "tokens"]].sum()
    rows = [
        (Stage(str(stage)).label, float(row[0]), int(row[1]), int(row[2]))
        for stage, row in zip(stages.index, stages.to_numpy(), strict=True)
    ]
    rows.append(("storing and publishing", stored.seconds, 0, 0))
    return [*rows, ("imports", started - importing, 0, 0), ("loading the models", loaded[0], 0, 0)]


@dataclass
class Stopwatch:
    """Add up the time during which at least one context is active; nested contexts count once."""

    seconds: float = 0.0
    running: int = 0

    @contextmanager
    def run(self) -> Iterator[None]:
        """Count the time within the context."""
        started, self.running = time.perf_counter(), self.running + 1
        try:
            yield
        finally:
            self.running -= 1
            if not self.running:
                self.seconds += time.perf_counter() - started


@contextmanager
def storing() -> Iterator[Stopwatch]:
    """Measure the time within the context that the run waits for its file."""
    watch = Stopwatch()

    def timed(work: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            with watch.run():
                return work(*args, **kwargs)

        return call

    transaction = RunWriter.transaction

    @contextmanager
    def timed_transaction(writer: RunWriter) -> Iterator[None]:
        with watch.run(), transaction(writer):
            yield

    with ExitStack() as stack:
        for name in WRITING:
            stack.enter_context(patch.object(RunWriter, name, timed(getattr(RunWriter, name))))
        stack.enter_context(patch.object(RunWriter, "transaction", timed_transaction))
        yield watch


def print_models(console: Console) -> None:
    """Measure every model in a separate process and print the table."""
    table = Table("model", title="Embedded models, one prompt, at most 64 new tokens, temperature 1")
    for number, name in enumerate(EMBEDDED):
        figures, _ = _elsewhere("model", name, "cache")
        if not number:
            for label in figures:
                table.add_column(label, justify="right")
        table.add_row(name, *(f"{value:,.0f}" for value in figures.values()))
    console.print(table)


def print_run(console: Console, preset: str) -> None:
    """Run a preset in a separate process and print the times of its stages."""
    with tempfile.TemporaryDirectory() as folder:
        (inside, stages), whole = _elsewhere("run", preset, folder)
    before = whole - inside
    rows = [(name, seconds + before * (name == "imports"), *rest) for name, seconds, *rest in stages]
    rows.append(("the rest", whole - sum(row[1] for row in rows), 0, 0))
    table = Table(
        "stage", "seconds", "share", "items", "tokens", title=f"A run of preset {preset} by stage: {whole:.0f} s"
    )
    for stage, seconds, items, tokens in rows:
        table.add_row(stage, f"{seconds:.1f}", f"{100 * seconds / whole:.0f}%", f"{items:,}", f"{tokens:,}")
    console.print(table)


def _elsewhere(*arguments: str) -> tuple[Any, float]:
    """Return the result of a separate process and the seconds from its start to its end."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.engine", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]), time.perf_counter() - started


def main() -> None:
    """Measure every model, then a run of each preset, and print the tables."""
    match sys.argv[1:]:
        case ["model", name, cache]:
            print(json.dumps(measure(name, Path(cache))))
            return
        case ["run", preset, folder]:
            started = time.perf_counter()
            stages = run_stages(preset, Path(folder))
            print(json.dumps((time.perf_counter() - started, stages)))
            return
    console = Console()
    console.print(f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    if sys.argv[1:] != ["--runs"]:
        print_models(console)
    for preset in RUNS:
        print_run(console, preset)


if __name__ == "__main__":
    main()
