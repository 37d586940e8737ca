"""Effect of weights on training: the student's pass rate before and after distillation on all or some tokens.

A run is created on some questions of `tiny-heldout`. A copy of the student is then distilled on its paths, with the
loop of `docs/examples/train_with_weights.py`, for each selection of tokens and each seed. Pass rates are measured on
the training questions and on others; intervals are 95% over questions, of means over seeds. Two controls test
whether the selection matters or only its size: the same number of random scored tokens, and tokens with Align < 0.

    python -m benchmarks.training --teacher tiny-l --steps 100 --seeds 5
"""

import argparse
import copy
import importlib.util
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from odd.config import PRESETS, QuestionsConfig, RunConfig, WeightsConfig, parse_config
from odd.export.weights import training_rows
from odd.findings.statistics import cluster_estimate
from odd.models.transformers.language_model import TransformersModel, wrap
from odd.pipeline.teachers import Models
from odd.pipeline.worker import run
from odd.questions.base import Question
from odd.questions.sources import load_questions
from odd.store import RunReader
from scripts.tiny_report import answers, pass_rates

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "train_with_weights.py"
Choose = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Maps the scores of a rollout's tokens to their weights."""


def _random(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    scored = np.flatnonzero(~np.isnan(scores))
    weights = np.zeros(len(scores))
    weights[rng.choice(scored, int((scores > 0).sum()), replace=False)] = 1
    return weights


ARMS: dict[str, Choose] = {
    "all tokens": lambda scores, rng: np.ones(len(scores)),
    "tokens with a score": lambda scores, rng: ~np.isnan(scores),
    "Align > 0": lambda scores, rng: scores > 0,
    "random, as many": _random,
    "Align < 0": lambda scores, rng: scores < 0,
}


def example() -> ModuleType:
    """Import the training loop shown in docs/training.md."""
    spec = importlib.util.spec_from_file_location("train_with_weights", EXAMPLE)
    if spec is None or spec.loader is None:
        raise ImportError(f"{EXAMPLE} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weighted(rows: pd.DataFrame, choose: Choose, seed: int) -> pd.DataFrame:
    """Return the rows with the weights of an arm."""
    rng = np.random.default_rng(seed)
    weights = [choose(scores, rng).astype(np.float32) for scores in rows["scores"]]
    return rows.assign(loss_weights=pd.Series(weights, index=rows.index, dtype=object))


def rates(model: TransformersModel, questions: list[Question], seed: int) -> np.ndarray:
    """Pass rate of each question, over 32 samples."""
    return pass_rates(questions, answers(model, [model.tokenizer.encode_chat(q.messages()) for q in questions], seed))


def made_run(arguments: argparse.Namespace, folder: Path) -> tuple[RunConfig, Path]:
    """Create the run that the scores come from."""
    teacher = {"name": "teacher", "model": {"name": arguments.teacher}}
    if ":" in arguments.teacher:
        teacher = {"name": "teacher", "context": arguments.teacher.partition(":")[2]}
    changes = {
        "title": "training",
        "questions": {"source": "tiny-heldout", "limit": arguments.questions},
        "teachers": [teacher],
        "analysis": {"objectives": [{"name": "reverse_kl"}], "poolings": ["on_policy"], "baselines": ["full"]},
        "targeting": {**PRESETS["paper"].targeting.model_dump(), "correct_paths": 4, "incorrect_paths": 4},
        "cache": str(folder),
    }
    config = parse_config(PRESETS["paper"].model_dump(mode="json") | changes)
    return config, run(config, lambda step: None)


def measure(arguments: argparse.Namespace, config: RunConfig, path: Path) -> dict[str, np.ndarray]:
    """Pass rates by arm, (seeds, questions); training questions come first."""
    with RunReader(path) as reader:
        rows, coverage = training_rows(reader, WeightsConfig(teacher="teacher"))
    print(f"paths of the run: {coverage}")
    models, loop = Models(config, config.cache), example()
    student, teacher = models.student, models.teacher(config.teachers[0])
    if not isinstance(student, TransformersModel) or not isinstance(teacher, TransformersModel):
        raise TypeError("student and teacher must be transformers models")
    every = load_questions(QuestionsConfig(source="tiny-heldout"))
    questions = every[: arguments.questions] + every[-arguments.others :]
    found = {"before": np.stack([rates(student, questions, 1000 * seed) for seed in range(arguments.seeds)])}
    frozen = copy.deepcopy(teacher.scorer.model)
    for name, choose in ARMS.items():
        results, kept = [], 0
        for seed in range(arguments.seeds):
            chosen, learner = weighted(rows, choose, seed), copy.deepcopy(student.scorer.model)
            kept = int(sum(weights.sum() for weights in chosen["loss_weights"]))
            loop.train(learner, frozen, chosen, arguments.steps, arguments.learning_rate, seed=seed)
            trained = wrap(name, learner, student.tokenizer.tokenizer)
            results.append(rates(trained, questions, 1000 * seed))
        print(f"{name}: {kept:,} tokens")
        found[name] = np.stack(results)
    return found


def report(found: dict[str, np.ndarray], arguments: argparse.Namespace, console: Console) -> None:
    """Print pass rates, and their changes from before training and from training on all tokens."""
    places = {"trained on": slice(0, arguments.questions), "others": slice(arguments.questions, None)}
    for place, part in places.items():
        mean = {name: values[:, part].mean(axis=0) for name, values in found.items()}
        clusters = np.arange(len(mean["before"]))

        def written(values: np.ndarray, form: str, clusters: np.ndarray = clusters) -> str:
            estimate = cluster_estimate(values, clusters)
            return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"

        table = Table("tokens", "pass rate", "- before", "- all tokens", title=f"{len(clusters)} questions, {place}")
        for name, values in mean.items():
            changes = (written(values - mean[other], "+.3f") for other in ("before", "all tokens"))
            table.add_row(name, written(values, ".3f"), *changes)
        console.print(table)


def main() -> None:
    """Create the run, train every arm, and print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--teacher", default="tiny-l", help="a model, or student:CONTEXT")
    parser.add_argument("--questions", type=int, default=30, help="number of training questions")
    parser.add_argument("--others", type=int, default=60, help="number of other questions")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--cache", type=Path, default=None, help="folder to keep the run in; else it is discarded")
    arguments = parser.parse_args()
    console, started = Console(width=110), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        config, path = made_run(arguments, arguments.cache or Path(folder))
        print(f"{date.today()}, teacher {arguments.teacher}, {arguments.steps} steps, {arguments.seeds} seeds")
        report(measure(arguments, config, path), arguments, console)
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
