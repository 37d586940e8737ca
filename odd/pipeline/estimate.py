"""How long a run will take, before it is started.

The work of a run is counted from its settings; what a piece of it costs comes from runs of the same student that were
finished here, or else from the benchmark. Both are rough: how long responses get and how many tokens are worth forcing
is only known once it is done. On the runs that the figures come from the estimate is right by construction; on other
questions it was within a factor of two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

from odd.config import ModelConfig, RunConfig
from odd.errors import OddError
from odd.pipeline.stages import Stage
from odd.store.run import Run
from odd.text import parse_json

LOADING = 6.0
"""Seconds until Python and the models of a run are loaded."""


@dataclass(frozen=True)
class Speed:
    """What pieces of a run cost, and how large they get.

    Attributes:
        source: where the figures come from, in words.
        sampling: tokens generated a second in chunks of a run.
        reading: tokens per second that a teacher scores along single paths.
        reading_all: drawn tokens per second that a model scores of all rollouts, many side by side; for `minillm`.
        scoring: nodes per second, each once per teacher, for which gradients and scores are computed.
        length: tokens of a response from the root.
        rest: tokens of a targeted rollout after its forced part, as a share of `length`.
        fill: targeted rollouts as a share of the pairs times the visits each is brought to.
    """

    source: str
    sampling: float
    reading: float
    reading_all: float
    scoring: float
    length: float
    rest: float
    fill: float


BENCHMARK_SOURCE = "the benchmark of 2026-11-25, two cores (docs/benchmarks.md)"
# generated tokens/s, tokens/s read along a path and of many rollouts, nodes/s by `python -m benchmarks.engine`
_MEASURED = {
    "tiny-s": (26_821, 40_111, 209_450, 745),
    "tiny-m": (20_687, 43_688, 397_218, 1_196),
    "tiny-l": (14_293, 29_620, 397_250, 1_485),
    "tiny-xl": (9_836, 21_058, 271_957, 1_219),
    "smollm2": (133, 249, 340, 349),
}
# tokens of a response: tiny family in its demo run, smollm2 in the benchmark (at most 64)
_LENGTH = {"smollm2": 34.0}
_TINY_LENGTH = 52.0
# The demo run of that benchmark sampled 881,175 tokens in 38.7 s: every rollout is decoded, verified and stored, too.
# smollm2 is bound by its weights rather than by Python, so the benchmark's speed is taken as it is.
_RUN_SHARE = {"smollm2": 1.0}
_TINY_SHARE = 0.85
_REST, _FILL = 0.49, 1.33
"""Of the same run: 31,524 targeted rollouts of 25.3 tokens."""
_TRIES, _SMALL_BATCH = 15, 3.0
"""Of a screening of 40 held-out questions, 2026-11-24: tries at demonstrations a question and source, and how much
longer one takes than a rollout, as its batch is small."""


def benchmark_speed(student: ModelConfig) -> Speed | None:
    """Figures of an embedded model on a CPU; None for any other."""
    if student.name not in _MEASURED or student.device != "cpu":
        return None
    generated, scored, read, nodes = _MEASURED[student.name]
    return Speed(
        source=BENCHMARK_SOURCE,
        sampling=generated * _RUN_SHARE.get(student.name, _TINY_SHARE),
        reading=scored,
        reading_all=read,
        scoring=nodes,
        length=_LENGTH.get(student.name, _TINY_LENGTH),
        rest=_REST,
        fill=_FILL,
    )


def measured_speed(run: Run, meta: Mapping[str, str], student: ModelConfig) -> Speed | None:
    """Figures of a run here; None if it has another student, or not done enough to tell.

    Args:
        run: answers the queries `timings` and `run_facts`.
        meta: the table `meta` of the run.
        student: model, device and precision that are asked for.
    """
    try:
        config = RunConfig.model_validate(parse_json(meta.get("config", "")))
    except (ValueError, OddError):
        return None
    if config.student != student:
        return None
    stages = run.query("timings").groupby("stage")[["seconds", "items", "tokens"]].sum().to_dict("index")
    names = (Stage.INITIAL, Stage.TARGETED, Stage.PLAN, Stage.SCORE, Stage.READ)
    initial, targeted, plan, score, read = (stages.get(stage.value, {}) for stage in names)
    paths = int(run.query("run_facts")["paths"].iloc[0])
    needed = (initial, "items"), (initial, "tokens"), (targeted, "items"), (targeted, "seconds"), (score, "items")
    if paths == 0 or any(not stage.get(key) for stage, key in needed) or not plan.get("seconds"):
        return None
    return _speed(f"run {run.run_id}, made here", config, paths, initial, targeted, plan, score, read)


def _speed(
    source: str,
    config: RunConfig,
    paths: int,
    initial: dict[Any, Any],
    targeted: dict[Any, Any],
    plan: dict[Any, Any],
    score: dict[Any, Any],
    read: dict[Any, Any],
) -> Speed:
    length = initial["tokens"] / initial["items"]
    most = paths * _pairs(config, length) * config.targeting.n_min
    sampling = (initial["tokens"] + targeted["tokens"]) / (initial["seconds"] + targeted["seconds"])
    return Speed(
        source=source,
        sampling=sampling,
        reading=plan["tokens"] / plan["seconds"],
        # to read what is there is at least as fast as to draw it token by token
        reading_all=read["tokens"] / read["seconds"] if read.get("seconds") else sampling,
        scoring=score["items"] / score["seconds"],
        length=length,
        rest=targeted["tokens"] / targeted["items"] / length,
        fill=targeted["items"] / most if most else _FILL,
    )


def _pairs(config: RunConfig, length: float) -> float:
    """Pairs that are forced on a path of this length: so many a window, and windows double in width."""
    windows = max(0.5, log2(1 + length / config.targeting.first_window))
    return windows * (config.targeting.n_gradient + config.targeting.n_difference)


@dataclass(frozen=True)
class Estimate:
    """How long a run will take, and how much it will draw.

    Attributes:
        seconds: in all.
        parts: seconds by stage, and under `loading` those for loading Python and the models.
        initial_rollouts: that it will draw.
        targeted_rollouts: that it will draw.
        read_tokens: tokens of rollouts that student and teachers will read, counted for each; 0 without `minillm`.
    """

    seconds: float
    parts: dict[str, float]
    initial_rollouts: int
    targeted_rollouts: int
    read_tokens: int


def estimate(config: RunConfig, questions: int, speed: Speed) -> Estimate:
    """The time that a run will take.

    Args:
        config: its settings.
        questions: how many it has.
        speed: what pieces of it cost.
    """
    sampling, targeting = config.sampling, config.targeting
    length = min(speed.length, sampling.max_new_tokens)
    paths = min(targeting.correct_paths + targeting.incorrect_paths, sampling.initial_rollouts)
    pairs = _pairs(config, length)
    # imported rollouts are there already
    initial = questions * sampling.initial_rollouts if config.imported is None else 0
    targeted = round(questions * paths * pairs * targeting.n_min * speed.fill)
    nodes = questions * paths * length * max(1, len(config.teachers))
    drawn = initial * length + targeted * length * speed.rest
    read = round(drawn * (1 + len(config.teachers))) if config.analysis.reading_temperatures else 0
    parts = {
        "loading": LOADING,
        Stage.INITIAL: initial * length / speed.sampling,
        Stage.DEMONSTRATIONS: questions * _written(config) * length * _SMALL_BATCH / speed.sampling,
        Stage.TARGETED: targeted * length * speed.rest / speed.sampling,
        Stage.PLAN: questions * paths * length * (1 + len(config.teachers)) / speed.reading,
        Stage.READ: read / speed.reading_all,
        Stage.SCORE: nodes / speed.scoring,
    }
    return Estimate(sum(parts.values()), parts, initial, targeted, read)


def _written(config: RunConfig) -> int:
    """Responses and summaries that are sampled a question for teachers to be shown."""
    shown = [teacher for teacher in config.teachers if teacher.context != "none"]
    sources = {(teacher.demonstrations or config.student).label for teacher in shown}
    summaries = sum(sum(teacher.shown) for teacher in shown if teacher.summarized)
    return _TRIES * len(sources) + config.demonstrations.summary_tries * summaries
