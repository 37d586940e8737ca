"""Checks of a device against the CPU: log-probabilities, what is sampled, memory, speed.

    python -m benchmarks.gpu [--device cuda] [--model tiny-s --model smollm2] [--rollouts 64]

The exit status is 1 if float32 log-probabilities differ by more than 0.001 or a check of the sampler fails, and 2 if
there is no such device.
"""

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.conditions import conditions, question_source
from odd.config import ModelConfig, QuestionsConfig, load_config
from odd.models.transformers.language_model import TransformersModel, load
from odd.questions.sources import load_questions
from odd.text import size

TOLERANCE = 1e-3
"""Nats by which a log-probability in float32 may differ between devices."""
LIMIT = 64
"""Maximum tokens of a response."""
FAR = 4.0
"""Standard errors by which the sampled responses' mean log-probability may differ from its expectation."""


@dataclass(frozen=True)
class Compared:
    """A model on a device, compared with the same weights in float32 on the CPU.

    Attributes:
        dtype: precision on the device.
        difference: largest difference of a sampled token's log-probability, nats.
        mean: mean difference, nats.
        deviation: entropy along the responses minus their negative log-probability, in standard errors: a sampler that
            draws from its distributions is near 0.
        sampled: tokens sampled per second.
        scored: tokens scored per second.
        memory: peak memory on the device in bytes; None on a CPU.
    """

    dtype: str
    difference: float
    mean: float
    deviation: float
    sampled: float
    scored: float
    memory: int | None

    @property
    def holds(self) -> bool:
        """Whether the checks hold; low precisions are only reported."""
        return abs(self.deviation) < FAR and (self.dtype != "float32" or self.difference < TOLERANCE)


def compare(reference: TransformersModel, name: str, device: str, dtype: str, rollouts: int) -> Compared:
    """Sample on the device, and score the responses there and on the CPU."""
    cache = load_config().cache
    model = load(ModelConfig.model_validate({"name": name, "device": device, "dtype": dtype}), cache)
    (question,) = load_questions(QuestionsConfig(source=question_source(name), limit=1))
    prompt = model.tokenizer.encode_chat(question.messages())
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    model.sampler.sample([prompt] * 4, [4] * 4, 1.0, seed=1)  # warm-up
    started = time.perf_counter()
    drawn = model.sampler.sample([prompt] * rollouts, [LIMIT] * rollouts, 1.0, seed=0)
    sampling = time.perf_counter() - started
    responses = [one.token_ids for one in drawn]
    tokens = sum(map(len, responses))
    started = time.perf_counter()
    own = np.concatenate([row[0] for row in model.scorer.token_log_probs(prompt, responses, (1.0,))])
    scoring = time.perf_counter() - started
    theirs = np.concatenate([row[0] for row in reference.scorer.token_log_probs(prompt, responses, (1.0,))])
    surprise = np.array([_surprise(model, prompt, response) for response in responses])
    return Compared(
        dtype=dtype,
        difference=float(np.abs(own - theirs).max()),
        mean=float(np.abs(own - theirs).mean()),
        deviation=float(surprise.mean() / (surprise.std(ddof=1) / np.sqrt(len(surprise)))),
        sampled=tokens / sampling,
        scored=tokens / scoring,
        memory=torch.cuda.max_memory_allocated(device) if on_gpu else None,
    )


def _surprise(model: TransformersModel, prompt: list[int], response: tuple[int, ...]) -> float:
    """Entropy along a response plus its log-probability, a martingale with mean 0 under exact sampling."""
    log_p = model.scorer.log_probs(prompt, response).astype(np.float64)
    entropy = -np.where(np.exp(log_p) > 0, np.exp(log_p) * log_p, 0.0).sum()
    return float(entropy + log_p[np.arange(len(response)), list(response)].sum())


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", action="append")
    parser.add_argument("--rollouts", type=int, default=64)
    chosen = parser.parse_args()
    console = Console()
    if torch.device(chosen.device).type == "cuda" and not torch.cuda.is_available():
        console.print("no CUDA device: torch finds none on this machine, so nothing was checked")
        return 2
    holds = True
    table = Table("model", "dtype", "largest difference", "mean", "deviation", "sampled/s", "scored/s", "memory", "")
    for name in chosen.model or ["tiny-s", "smollm2"]:
        reference = load(ModelConfig(name=name), load_config().cache)
        for dtype in ("float32", "bfloat16", "float16"):
            found = compare(reference, name, chosen.device, dtype, chosen.rollouts)
            holds &= found.holds
            memory = "" if found.memory is None else size(found.memory)
            numbers = (f"{found.difference:.2g}", f"{found.mean:.2g}", f"{found.deviation:+.1f} se")
            speed = (f"{found.sampled:,.0f}", f"{found.scored:,.0f}")
            table.add_row(Text(name), dtype, *numbers, *speed, memory, "ok" if found.holds else "FAILS")
    console.print(table)
    console.print(conditions(f"{chosen.device}, {chosen.rollouts} rollouts", 1))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
