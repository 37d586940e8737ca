"""Estimate the duration of a run before it starts.

The amount of work follows from the settings; the speed comes from finished runs of the same student on this machine,
else from the benchmark. Both are rough: response lengths and the number of tokens worth forcing are known only
afterwards. For the run that the figures come from, the estimate is exact by construction; on other questions it was
within a factor of two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

from odd.config import ModelConfig, RunConfig, stored_config
from odd.pipeline.stages import Stage
from odd.store.run import Run

LOADING = 6.0
"""Seconds for loading Python and the models of a run."""


@dataclass(frozen=True)
class Speed:
    """Speed of the stages of a run, and typical amounts of work.

    Attributes:
        source: origin of the figures, in words.
        sampling: tokens generated per second in the chunks of a run.
        reading: tokens per second that a teacher scores along single paths.
        reading_all: sampled tokens per second that a model scores over all rollouts, in batches; for `minillm`.
        scoring: pairs of node and teacher per second for which gradients and scores are computed.
        length: tokens of a response from the root.
        rest: tokens of a targeted rollout after its forced prefix, as a share of `length`.
        fill: targeted rollouts as a share of pairs times `n_min`.
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
# tokens/s generated, read along a path, and read from all rollouts; nodes/s; from `python -m benchmarks.engine`
_MEASURED = {
    "tiny-s": (26_821, 40_111, 209_450, 745),
    "tiny-m": (20_687, 43_688, 397_218, 1_196),
    "tiny-l": (14_293, 29_620, 397_250, 1_485),
    "tiny-xl": (9_836, 21_058, 271_957, 1_219),
    "smollm2": (133, 249, 340, 349),
}
# tokens per response: tiny family in its demo run, smollm2 in the benchmark (at most 64)
_LENGTH = {"smollm2": 34.0}
_TINY_LENGTH = 52.0
# The demo run of that benchmark sampled 881,175 tokens in 38.7 s, which includes decoding, verification and storage.
# smollm2 is bound by its weights rather than by Python, so the benchmark's speed is used unchanged.
_RUN_SHARE = {"smollm2": 1.0}
_TINY_SHARE = 0.85
REST, FILL = 0.49, 1.33
"""A `Speed`'s `rest` and `fill` in the same run: 31,524 targeted rollouts of 25.3 tokens."""
_TRIES, _SMALL_BATCH = 15, 3.0
"""From a screening of 40 held-out questions, 2026-11-24: demonstration tries per question and source, and the time of
one relative to a rollout, longer as its batch is small."""


def benchmark_speed(student: ModelConfig) -> Speed | None:
    """Return the benchmark speed of an embedded model on a CPU; None for any other model or device."""
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
        rest=REST,
        fill=FILL,
    )


def sampled_speed(sampling: float, reading: float, length: float) -> Speed:
    """Return the speed of a student of which only a few rollouts are known; other stages are as smollm2's.

    Args:
        sampling: tokens generated per second, in a small batch.
        reading: tokens scored per second.
        length: tokens of a response.
    """
    scoring = float(_MEASURED["smollm2"][3])
    return Speed("the rollouts of this check", sampling, reading, reading, scoring, length, REST, FILL)


def measured_speed(run: Run, meta: Mapping[str, str], student: ModelConfig) -> Speed | None:
    """Return the speed measured in a run; None if it has another student or too little finished work.

    Args:
        run: the run; the queries `timings` and `run_facts` are used.
        meta: the table `meta` of the run.
        student: required model, device and precision.
    """
    config = stored_config(meta.get("config"))
    if config is None or config.student != student:
        return None
    stages = run.query("timings").groupby("stage")[["seconds", "items", "tokens"]].sum().to_dict("index")
    names = (Stage.INITIAL, Stage.TARGETED, Stage.PLAN, Stage.SCORE, Stage.READ)
    initial, targeted, plan, score, read = (stages.get(stage.value, {}) for stage in names)
    paths = int(run.query("run_facts")["paths"].iloc[0])
    needed = (initial, "items"), (initial, "tokens"), (targeted, "items"), (targeted, "seconds"), (score, "items")
    if paths == 0 or any(not stage.get(key) for stage, key in needed) or not plan.get("seconds"):
        return None
    return _speed(f"run {run.run_id} on this machine", config, paths, initial, targeted, plan, score, read)


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
    most = paths * pairs_on_a_path(config, length) * config.targeting.n_min
    sampling = (initial["tokens"] + targeted["tokens"]) / (initial["seconds"] + targeted["seconds"])
    return Speed(
        source=source,
        sampling=sampling,
        reading=plan["tokens"] / plan["seconds"],
        # reading rollouts is at least as fast as sampling them token by token
        reading_all=read["tokens"] / read["seconds"] if read.get("seconds") else sampling,
        scoring=score["items"] / score["seconds"],
        length=length,
        rest=targeted["tokens"] / targeted["items"] / length,
        fill=targeted["items"] / most if most else FILL,
    )


def pairs_on_a_path(config: RunConfig, length: float) -> float:
    """Return the expected pairs on a path of this length: as many per window, with windows that double in width."""
    windows = max(0.5, log2(1 + length / config.targeting.first_window))
    return windows * (config.targeting.n_gradient + config.targeting.n_difference)


@dataclass(frozen=True)
class TimeEstimate:
    """Estimated duration and amount of sampling of a run.

    Attributes:
        seconds: total duration.
        parts: seconds by stage, plus `loading` for loading Python and the models.
        initial_rollouts: initial rollouts to sample.
        targeted_rollouts: targeted rollouts to sample.
        read_tokens: rollout tokens to read, summed over student and teachers; 0 without `minillm`.
    """

    seconds: float
    parts: dict[str, float]
    initial_rollouts: int
    targeted_rollouts: int
    read_tokens: int


def estimate(config: RunConfig, questions: int, speed: Speed) -> TimeEstimate:
    """Estimate the duration of a run.

    Args:
        config: settings of the run.
        questions: number of questions.
        speed: speed of its stages.
    """
    sampling, targeting = config.sampling, config.targeting
    length = min(speed.length, sampling.max_new_tokens)
    paths = min(targeting.correct_paths + targeting.incorrect_paths, sampling.initial_rollouts)
    pairs = pairs_on_a_path(config, length)
    # imported rollouts need no sampling
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
    return TimeEstimate(sum(parts.values()), parts, initial, targeted, read)


def _written(config: RunConfig) -> int:
    """Expected responses and summaries sampled per question as demonstrations."""
    shown = [teacher for teacher in config.teachers if any(teacher.shown)]
    sources = {(teacher.demonstrations or config.student).label for teacher in shown}
    summaries = sum(sum(teacher.shown) for teacher in shown if teacher.summarized)
    return _TRIES * len(sources) + config.demonstrations.summary_tries * summaries
