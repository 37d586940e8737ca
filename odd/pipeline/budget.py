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
from odd.pipeline.estimate import FILL, REST, Speed, TimeEstimate, estimate, pairs_on_a_path
from odd.text import rough, size

PAPER_ROLLOUTS = 45_000, 200_000
"""Targeted rollouts per question in arXiv 2605.10889; about 72 A100-days in all."""
FILE_BYTES, TOKEN_BYTES, SCORE_BYTES, TEACHER_NODE_BYTES, NODE_BYTES = 2_500_000, 8.0, 140.0, 100.0, 250.0
"""An empty run file; bytes per stored token, score, teacher and path node, and path node with its children. From the
example run and small runs of 2026-11-29; a file was within a factor of two of their sum."""
SHARED_TOKEN_BYTES = 2.25
"""Bytes per token of rollouts that are cut where they share no tokens, from `python -m benchmarks.trees`."""
ROLLOUT_BYTES = 12.0
"""Bytes in memory for each token of a question's rollouts: id, log-probability, text."""
SAMPLED_BYTES = 24
"""Bytes for each entry of a distribution that is sampled from: logits, log-probabilities, cumulative sums."""


@dataclass(frozen=True)
class DeviceMemory:
    """Memory that a run needs on one device, in bytes.

    Attributes:
        device: the device.
        models: weights of all models on it.
        count: number of models on it.
        together: number of these that are loaded at a time.
        working: KV cache and distributions; on the CPU the rollouts of a question as well.
        available: free memory now; None if the device is not on this machine.
    """

    device: str
    models: int
    count: int
    together: int
    working: int
    available: int | None


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
        return asdict(self) | {"fits": all(one.together or not one.count for one in self.memory)}

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
            turns = "" if one.together == one.count else f": {one.together} of {one.count} models at a time"
            fits = turns if one.together or not one.count else ": DOES NOT FIT"
            yield f"memory, {one.device}", f"{size(one.models)} models + {size(one.working)}, {free}{fits}"
        if self.unknown_models:
            yield "memory unknown", ", ".join(self.unknown_models)
        yield "run file", f"about {size(self.file)}"
        yield "time", f"{rough(self.seconds)}; {self.source}"
        yield "targeted per question", f"{_round(each)}; in the paper {low:,} to {high:,}, about 72 A100-days in all"


def budget(config: RunConfig, questions: int, speed: Speed | None, with_memory: bool = True) -> Budget:
    """Estimate what a run will take. No weight is read.

    Args:
        config: settings of the run.
        questions: number of its questions.
        speed: speed of the student; None if unknown: every response is then assumed to reach its limit.
        with_memory: whether to look at the models' configurations, for which transformers is imported.
    """
    used = speed or replace(_UNKNOWN, length=float(config.sampling.max_new_tokens))
    guess, sampling = estimate(config, questions, used), config.sampling
    length = min(used.length, sampling.max_new_tokens)
    sampled = guess.initial_rollouts * length + guess.targeted_rollouts * length * used.rest
    paths = min(config.targeting.correct_paths + config.targeting.incorrect_paths, sampling.initial_rollouts)
    sizes = _sizes(config) if with_memory else {}
    kept = (guess.initial_rollouts + guess.targeted_rollouts) * length
    return Budget(
        questions=questions,
        initial_rollouts=guess.initial_rollouts,
        targeted_rollouts=guess.targeted_rollouts,
        sampled_tokens=round(sampled),
        student_passes=round(sampled / sampling.batch_size),
        path_tokens=round(questions * paths * length),
        read_tokens=guess.read_tokens,
        readers=1 + len(config.teachers),
        memory=tuple(_memory(config, sizes, kept / max(1, questions))) if with_memory else (),
        unknown_models=tuple(label for label, (_, found) in sizes.items() if found is None),
        file=_file(config, questions, paths, length, _stored_bytes(config, guess, questions, length, used.rest)),
        seconds=None if speed is None else guess.seconds,
        source=speed.source if speed else "no finished run of this student: every response counted at its limit",
    )


_UNKNOWN = Speed("", inf, inf, inf, inf, 1.0, REST, FILL)


def _models(config: RunConfig) -> Iterator[ModelConfig]:
    """Yield every model of a run once."""
    writers = [model for one in config.teachers for model in (one.model, one.demonstrations, one.summarizer)]
    yield from {model.label: model for model in (config.student, *filter(None, writers))}.values()


Sizes = dict[str, tuple[ModelConfig, ModelSize | None]]
"""Settings and memory of each model, by label."""


def _sizes(config: RunConfig) -> Sizes:
    return {model.label: (model, model_size(model, config.cache)) for model in _models(config)}


def _memory(config: RunConfig, sizes: Sizes, kept: float) -> Iterator[DeviceMemory]:
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
        # models of unknown size are taken to fit
        count = sum(model.device == device for model, _ in sizes.values())
        available, each = available_memory(device), [found for _, found in here]
        together = count - len(each) + _fitting(each, working, available)
        if config.models.resident is not None:
            together = min(count, config.models.resident)
        yield DeviceMemory(device, sum(one.weights for one in each), count, together, round(working), available)


def available_memory(device: str) -> int | None:
    """Return the free memory of a device in bytes; None if it is not on this machine."""
    if device == "cpu":
        return psutil.virtual_memory().available
    import torch

    try:
        return torch.cuda.mem_get_info(torch.device(device))[0]
    except (RuntimeError, AssertionError, ValueError):
        return None


def _stored_bytes(config: RunConfig, guess: TimeEstimate, questions: int, length: float, rest: float) -> float:
    """Return the bytes of the rollouts in the run file."""
    whole = (guess.initial_rollouts + guess.targeted_rollouts) * length * TOKEN_BYTES
    drawn = guess.targeted_rollouts * length * rest / max(1, questions)
    if not config.storage.cuts(round(drawn), config.analysis.objectives):
        return whole
    launches = guess.targeted_rollouts / config.targeting.n_min
    samples = min(guess.targeted_rollouts, 2 * config.storage.whole * launches)
    shared = guess.targeted_rollouts * length * (1 - rest) * SHARED_TOKEN_BYTES
    return (guess.initial_rollouts + samples) * length * TOKEN_BYTES + shared


def _file(config: RunConfig, questions: int, paths: int, length: float, rollouts: float) -> int:
    """Return the size of the run file, with so many bytes of rollouts."""
    nodes, teachers = questions * paths * length, len(config.teachers)
    # a window's pairs lie on about half as many nodes
    decisions = questions * paths * pairs_on_a_path(config, length) / 2
    analysis = config.analysis
    rows = min(nodes, decisions) * teachers * len(analysis.objectives) * len(analysis.conventions)
    return round(FILE_BYTES + rollouts + rows * SCORE_BYTES + nodes * (teachers * TEACHER_NODE_BYTES + NODE_BYTES))


def resident_models(config: RunConfig) -> dict[str, int] | None:
    """Return how many models are loaded at a time on each device; None if all are.

    Raises:
        OddError: the largest model of a device does not fit in its free memory.
    """
    most = {one.device: one.together for one in memory_of(config) if one.together < one.count}
    return most or None


def turns(config: RunConfig) -> str | None:
    """Say in one line which models take turns in memory; None if all models are loaded together."""
    crowded = [one for one in memory_of(config) if one.together < one.count]
    if not crowded:
        return None
    each = (f"{one.together} of {one.count} on {one.device} ({size(one.models)} in all)" for one in crowded)
    return f"models take turns in memory, {', '.join(each)}: set models.resident for another number"


def memory_of(config: RunConfig) -> list[DeviceMemory]:
    """Return the memory that the models of a run need by device, without the rollouts.

    Raises:
        OddError: the largest model of a device does not fit in its free memory.
    """
    found = list(_memory(config, _sizes(config), 0.0))
    for one in found:
        if one.count and not one.together:
            assert one.available is not None
            raise OddError(
                f"the largest model on {one.device} with its KV cache and distributions needs more than the "
                f"{size(one.available)} that are free: use a smaller model, dtype bfloat16, a smaller "
                "sampling.batch_size, or another device"
            )
    return found


def _fitting(sizes: Sequence[ModelSize], working: float, available: int | None) -> int:
    """Return the number of models that fit together; of those that make room, the last layer stays."""
    largest = sorted(sizes, key=lambda one: one.weights, reverse=True)
    for most in range(len(sizes), 0, -1):
        needed = sum(one.weights for one in largest[:most]) + sum(one.last_layer for one in largest[most:])
        if available is None or needed + working <= available:
            return most
    return 0


def _round(number: float) -> str:
    return f"{float(f'{number:.2g}'):,.0f}"
