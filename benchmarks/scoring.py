"""Speed of scoring a question as a tree, which reads every distinct token once, compared with one pass per response.

There are two jobs. Both ways take turns several times; medians and ratios come from one invocation. *Paths*: full
distributions along the paths of a question, as needed from the student and each teacher. *Rollouts*: the
log-probability of every token of all rollouts, as needed for the objective `minillm`.

    python -m benchmarks.scoring [--model tiny-s] [--rollouts 200] [--repeats 5]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.conditions import conditions, question_source
from odd.analysis.planning import choose_paths
from odd.config import ModelConfig, QuestionsConfig, SamplingConfig, TargetingConfig, load_config
from odd.models.transformers.language_model import TransformersModel, load
from odd.questions.sources import load_questions
from odd.rollouts.sampling import sample_chunk

Responses = Sequence[tuple[int, ...]]


def a_question(model: TransformersModel, source: str, rollouts: int) -> tuple[list[int], Responses, Responses]:
    """Find a question with correct and incorrect responses; return its prompt, its paths, and all responses."""
    sampling = SamplingConfig(batch_size=64)
    for question in load_questions(QuestionsConfig(source=source)):
        prompt = model.tokenizer.encode_chat(question.messages())
        drawn = sample_chunk(model, question, prompt, [()] * rollouts, sampling, "initial", 0)
        chosen = choose_paths(question.id, drawn, TargetingConfig(), 0)
        if len(chosen) == TargetingConfig().correct_paths + TargetingConfig().incorrect_paths:
            tokens = [tuple(one.token_ids.tolist()) for one in drawn]
            return prompt, [tokens[i] for i in chosen], tokens
    raise SystemExit(f"{model.name} is never both right and wrong on a question of {source}: choose another --model")


def seconds(ways: Sequence[Callable[[], object]], repeats: int) -> list[list[float]]:
    """Seconds of each way in each repetition, in turn, after a warm-up."""
    measured: list[list[float]] = [[] for _ in ways]
    for repeat in range(repeats + 1):
        for way, found in zip(ways, measured, strict=True):
            started = time.perf_counter()
            way()
            if repeat:
                found.append(time.perf_counter() - started)
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring")
    parser.add_argument("--model", default="tiny-s")
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    model = load(ModelConfig(name=chosen.model), load_config().cache)
    prompt, paths, rollouts = a_question(model, question_source(chosen.model), chosen.rollouts)

    def plain(responses: Responses) -> None:
        for response in responses:
            model.scorer.log_probs(prompt, response)

    jobs: list[tuple[str, Responses, Callable[[], object]]] = [
        ("paths", paths, lambda: list(model.scorer.read(prompt, paths))),
        ("rollouts", rollouts, lambda: model.scorer.token_log_probs(prompt, rollouts, (1.0,))),
    ]
    columns = ("job", "responses", "tokens", "distinct", "one by one", "as a tree", "speedup")
    table = Table(*columns, title=f"after a prompt of {len(prompt)} tokens")
    for name, responses, tree in jobs:
        alone, together = map(statistics.median, seconds([lambda r=responses: plain(r), tree], chosen.repeats))
        distinct = len({tokens[:n] for tokens in responses for n in range(len(tokens))})
        counts = (str(len(responses)), f"{sum(map(len, responses)):,}", f"{distinct:,}")
        table.add_row(name, *counts, f"{1e3 * alone:,.0f} ms", f"{1e3 * together:,.0f} ms", f"{alone / together:.1f}")
    console = Console()
    console.print(table)
    console.print(conditions(chosen.model, chosen.repeats))


if __name__ == "__main__":
    main()
