"""How fast each embedded model samples and scores, what memory it takes, and where the time of a demo run goes.

Each model is measured in a process of its own, so that the peak memory is its own; figures are medians of
`REPEATS` repetitions after one that is not counted. The last table comes from a fresh demo run.

    python -m benchmarks.engine
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
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.conditions import question_source
from odd.analysis import QuestionTree, score_teachers
from odd.config import PRESETS, AnalysisConfig, ModelConfig, QuestionsConfig, SamplingConfig
from odd.models.embedded import EMBEDDED
from odd.models.registry import load_model
from odd.pipeline import run
from odd.questions.sources import load_questions
from odd.rollouts import sample_chunk
from odd.store import RunReader

REPEATS = 3
ROLLOUTS = {"smollm2": 32}
DEFAULT_ROLLOUTS = 256


def measure(name: str, cache: Path) -> dict[str, float]:
    """Speeds of one model in this process, and its peak memory in MB."""
    model = load_model(ModelConfig(name=name), cache)
    question = load_questions(QuestionsConfig(source=question_source(name)))[2]
    prompt = model.encode_chat(question.messages())
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
        log_p = model.paths_log_probs(prompt, [drawn[i].token_ids for i in paths])
        scoring = time.perf_counter() - scoring
        reading = time.perf_counter()
        model.token_log_probs(prompt, [rollout.token_ids for rollout in drawn], (1.0,))
        reading = time.perf_counter() - reading
        analysing = time.perf_counter()
        tree = QuestionTree(question.id, drawn, paths, log_p, AnalysisConfig(n_sig=2))
        score_teachers(tree, {"shifted": [rows[:, ::-1] for rows in log_p]})
        analysing = time.perf_counter() - analysing
        if repeat:
            tokens = sum(len(rollout.token_ids) for rollout in drawn)
            figures["rollouts/s"].append(rollouts / seconds)
            figures["generated tokens/s"].append(tokens / seconds)
            figures["read tokens/s"].append(tokens / reading)
            figures["scored tokens/s"].append(sum(len(rows) for rows in log_p) / scoring)
            figures["nodes/s"].append(len(tree.places) / analysing)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {label: statistics.median(values) for label, values in figures.items()} | {"peak memory, MB": peak}


def demo_stages(folder: Path) -> list[tuple[str, float, int, int]]:
    """Seconds, items and tokens by stage of a demo run, and the whole time."""
    started = time.perf_counter()
    path = run(PRESETS["demo"].model_copy(update={"cache": folder}), lambda step: None)
    whole = time.perf_counter() - started
    with RunReader(path) as reader:
        stages = reader.query("timings").groupby("stage", sort=False)[["seconds", "items", "tokens"]].sum()
    rows = [
        (str(stage), float(row[0]), int(row[1]), int(row[2]))
        for stage, row in zip(stages.index, stages.to_numpy(), strict=True)
    ]
    return [*rows, ("loading, storing and the rest", whole - sum(row[1] for row in rows), 0, 0)]


def main() -> None:
    """Measure every model in a process of its own, then a demo run, and print both tables."""
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
        return
    console = Console()
    console.print(f"{date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}")
    table = Table("model", title="Embedded models, one prompt, at most 64 new tokens, temperature 1")
    for number, name in enumerate(EMBEDDED):
        command = [sys.executable, "-m", "benchmarks.engine", name, "cache"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        if not number:
            for label in figures:
                table.add_column(label, justify="right")
        table.add_row(name, *(f"{value:,.0f}" for value in figures.values()))
    console.print(table)
    stages = Table("stage", "seconds", "share", "items", "tokens", title="A demo run by stage")
    with tempfile.TemporaryDirectory() as folder:
        rows = demo_stages(Path(folder))
    whole = sum(row[1] for row in rows)
    for stage, seconds, items, tokens in rows:
        stages.add_row(stage, f"{seconds:.1f}", f"{100 * seconds / whole:.0f} %", f"{items:,}", f"{tokens:,}")
    console.print(stages)


if __name__ == "__main__":
    main()
