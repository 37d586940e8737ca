"""What a run will take, told before it starts: rollouts, tokens, forward passes, memory, disk, time."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from typing import Any

import psutil

from odd.config import ModelConfig, RunConfig
from odd.errors import OddError
from odd.models.base import ModelSize
from odd.models.registry import model_size
from odd.pipeline.estimate import FILL, REST, Speed, estimate, pairs_on_a_path
from odd.text import rough, size

PAPER_ROLLOUTS = 45_000, 200_000
"""Targeted rollouts per question in arXiv 2605.10889; about 72 A100-days in all."""
FILE_BYTES, TOKEN_BYTES, SCORE_BYTES, TEACHER_NODE_BYTES, NODE_BYTES = 2_500_000, 8.0, 140.0, 100.0, 250.0
"""An empty run file; bytes per stored token, score, teacher and path node, and path node with its children. From the
example run and small runs of 2026-11-29; a file was within a factor of two of their sum."""
ROLLOUT_BYTES = 12.0
"""Bytes in memory for each token of a question's rollouts: id, log-probability, text."""
SAMPLED_BYTES = 24
"""Bytes for each entry of a distribution that is sampled from: logits, log-probabilities, cumulative sums."""


@dataclass(frozen=True)
class DeviceMemory:
    """Memory that a run needs on one device, in bytes.

    Attributes:
        device: the device.
        models: weights of the models on it that are loaded together.
        working: KV cache and distributions; on the CPU the rollouts of a question as well.
        available: free memory now; None if the device is not on this machine.
    """

    device: str
    models: int
    working: int
    available: int | None

    @property
    def fits(self) -> bool:
        """Whether it fits, as far as is known."""
        return self.available is None or self.models + self.working <= self.available


@dataclass(frozen=True)
class Budget:
    """What a run will take.

    Attributes:
        questions: number of questions.
        initial_rollouts: initial rollouts to sample.
        targeted_rollouts: targeted rollouts to sample.
        sampled_tokens: tokens to sample.
        student_passes: forward passes of the student to sample them, in full batches.
        path_tokens: tokens along paths that each model reads.
        read_tokens: rollout tokens that student and teachers read; 0 without `minillm`.
        readers: number of student and teachers that read.
        memory: by device.
        unknown_models: models whose memory is not known before they are loaded.
        file: size of the run file in bytes.
        seconds: duration; None if the student's speed is unknown.
        source: where response length and speed come from.
    """

    questions: int
    initial_rollouts: int
    targeted_rollouts: int
    sampled_tokens: int
    student_passes: int
    path_tokens: int
    read_tokens: int
    readers: int
    memory: tuple[DeviceMemory, ...]
    unknown_models: tuple[str, ...]
    file: int
    seconds: float | None
    source: str

    def to_json(self) -> dict[str, Any]:
        """Return all numbers as plain data."""
        return asdict(self) | {"fits": all(device.fits for device in self.memory)}

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield what is counted, and the amount in words."""
        each = self.targeted_rollouts / max(1, self.questions)
        low, high = PAPER_ROLLOUTS
        yield "questions", f"{self.questions:,}"
        yield "rollouts", f"{self.initial_rollouts:,} initial, about {_round(self.targeted_rollouts)} targeted"
        yield "sampled tokens", f"about {_round(self.sampled_tokens)}, in {_round(self.student_passes)} forward passes"
        reading = f"about {_round(self.path_tokens)} along paths by each of {self.readers} models"
        if self.read_tokens:
            reading += f", {_round(self.read_tokens)} of rollouts in all (minillm)"
        yield "read tokens", reading
        for one in self.memory:
            free = "not on this machine" if one.available is None else f"{size(one.available)} free"
            fits = "" if one.fits else ": DOES NOT FIT"
            yield f"memory, {one.device}", f"{size(one.models)} models + {size(one.working)}, {free}{fits}"
        if self.unknown_models:
            yield "memory unknown", ", ".join(self.unknown_models)
        yield "run file", f"about {size(self.file)}"
        yield "time", f"{rough(self.seconds)}; {self.source}"
        yield "the paper", f"{low:,} to {high:,} targeted rollouts per question, about 72 A100-days; here {_round(each)}"


def budget(config: RunConfig, questions: int, speed: Speed | None) -> Budget:
    """Estimate what a run will take. No weight is read.

    Args:
        config: settings of the run.
        questions: number of its questions.
        speed: speed of the student; None if unknown: every response is then assumed to reach its limit.
    """
    used = speed or replace(_UNKNOWN, length=float(config.sampling.max_new_tokens))
    guess, sampling = estimate(config, questions, used), config.sampling
    length = min(used.length, sampling.max_new_tokens)
    sampled = guess.initial_rollouts * length + guess.targeted_rollouts * length * used.rest
    paths = min(config.targeting.correct_paths + config.targeting.incorrect_paths, sampling.initial_rollouts)
    sizes = {model.label: (model, model_size(model, config.cache)) for model in _models(config)}
    kept = sampled + guess.targeted_rollouts * length * (1 - used.rest)
    return Budget(
        questions=questions,
        initial_rollouts=guess.initial_rollouts,
        targeted_rollouts=guess.targeted_rollouts,
        sampled_tokens=round(sampled),
        student_passes=round(sampled / sampling.batch_size),
        path_tokens=round(questions * paths * length),
        read_tokens=guess.read_tokens,
        readers=1 + len(config.teachers),
        memory=tuple(_memory(config, sizes, kept / max(1, questions))),
        unknown_models=tuple(label for label, (_, found) in sizes.items() if found is None),
        file=_file(config, questions, paths, length, kept),
        seconds=None if speed is None else guess.seconds,
        source=speed.source if speed else "no finished run of this student: every response counted at its limit",
    )


_UNKNOWN = Speed("", inf, inf, inf, inf, 1.0, REST, FILL)


def _models(config: RunConfig) -> Iterator[ModelConfig]:
    """Yield every model of a run once."""
    writers = [model for one in config.teachers for model in (one.model, one.demonstrations, one.summarizer)]
    yield from {model.label: model for model in (config.student, *filter(None, writers))}.values()


def _memory(
    config: RunConfig, sizes: dict[str, tuple[ModelConfig, ModelSize | None]], kept: float
) -> Iterator[DeviceMemory]:
    """Yield the memory needed per device; `kept` tokens of a question's rollouts are in memory."""
    known = [(model, found) for model, found in sizes.values() if found is not None]
    for device in sorted({"cpu", *(model.device for model, _ in known)}):
        here = [(model, found) for model, found in known if model.device == device]
        working = kept * ROLLOUT_BYTES if device == "cpu" else 0.0
        batch = config.sampling.batch_size
        for model, found in here:
            # student and teachers hold a slice each, see odd.models.transformers.reading
            working += (model.scoring_memory << 20) / 4
            if model == config.student:
                working += batch * (config.sampling.max_new_tokens * found.token + found.vocabulary * SAMPLED_BYTES)
        if here:
            working += max(model.scoring_memory for model, _ in here) << 20
        yield DeviceMemory(device, sum(found.weights for _, found in here), round(working), available_memory(device))


def available_memory(device: str) -> int | None:
    """Return the free memory of a device in bytes; None if it is not on this machine."""
    if device == "cpu":
        return psutil.virtual_memory().available
    import torch

    try:
        return torch.cuda.mem_get_info(torch.device(device))[0]
    except (RuntimeError, AssertionError, ValueError):
        return None


def _file(config: RunConfig, questions: int, paths: int, length: float, kept: float) -> int:
    nodes, teachers = questions * paths * length, len(config.teachers)
    # a window's pairs lie on about half as many nodes
    decisions = questions * paths * pairs_on_a_path(config, length) / 2
    analysis = config.analysis
    rows = min(nodes, decisions) * teachers * len(analysis.objectives) * len(analysis.conventions)
    return round(
        FILE_BYTES + kept * TOKEN_BYTES + rows * SCORE_BYTES + nodes * (teachers * TEACHER_NODE_BYTES + NODE_BYTES)
    )


def check_fits(memory: Sequence[DeviceMemory]) -> None:
    """Refuse a run whose models do not fit.

    Raises:
        OddError: the models of a device need more than its free memory.
    """
    for one in memory:
        if one.available is not None and one.models > one.available:
            raise OddError(
                f"the models on {one.device} need {size(one.models)}, but only {size(one.available)} are free: use "
                "smaller models, dtype bfloat16, or another device"
            )


def _round(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.0f}"
