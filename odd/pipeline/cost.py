"""What `minillm` will cost, said before it begins: student and teachers read all rollouts."""

import json
from pathlib import Path

from odd.config import ModelConfig, RunConfig, parse_config
from odd.errors import OddError
from odd.pipeline.estimate import Speed, benchmark_speed, estimate, measured_speed
from odd.pipeline.stages import Stage
from odd.questions.sources import load_questions
from odd.store import RunReader, list_runs, published_path
from odd.text import rough

RECENT = 20
"""Finished runs that are asked how fast they were."""


def known_speed(cache: Path, student: ModelConfig) -> Speed | None:
    """Figures of the newest finished run of the student in the cache, else of the benchmark, else None."""
    finished = [info for info in list_runs(cache) if info.problem is None and info.status == "finished"]
    for info in finished[:RECENT]:
        try:
            with RunReader(info.path) as reader:
                speed = measured_speed(reader, reader.meta, student)
        except OddError:
            continue
        if speed is not None:
            return speed
    return benchmark_speed(student)


def reading_of_a_run(config: RunConfig) -> str | None:
    """What the reading of a run's rollouts will cost, one line; None if it has none.

    Raises:
        OddError: its questions cannot be read.
    """
    if not config.analysis.reading_temperatures:
        return None
    questions, speed = len(load_questions(config.questions)), known_speed(config.cache, config.student)
    readers, asked = _counted(len(config.teachers), "teacher"), _counted(questions, "question")
    who = f"minillm: the student and {readers} read all rollouts of {asked}"
    if speed is None:
        return f"{who}; how long that takes is not known before a run of this student was finished here"
    guess = estimate(config, questions, speed)
    seconds, tokens = guess.parts[Stage.READ], float(f"{guess.read_tokens:.2g}")
    share = f"{100 * seconds / guess.seconds:.0f}% of the run"
    how = "at the student's speed; roughly, by " + speed.source
    return f"{who}, about {tokens:,.0f} tokens in all: {rough(seconds)}, {share}, {how}"


def reading_of_teachers(cache: Path, run_id: str, teachers: int) -> str | None:
    """What it will cost to add teachers to a run, one line; None where its objectives do not ask for it.

    Nothing is said of a run that is not published.

    Raises:
        OddError: the run cannot be read.
    """
    path = published_path(cache, run_id)
    if not path.exists():
        return None
    with RunReader(path) as reader:
        config = parse_config(json.loads(reader.meta["config"])) if "config" in reader.meta else None
        if config is None or not config.analysis.reading_temperatures:
            return None
        drawn = reader.query("drawn_tokens").iloc[0]
        speed = measured_speed(reader, reader.meta, config.student)
    tokens = int(drawn.tokens)
    seconds = teachers * tokens / speed.reading_all if speed else None
    each = f"all {int(drawn.rollouts):,} rollouts, {tokens:,} tokens each"
    return f"minillm: {_counted(teachers, 'teacher')} to read {each}: {rough(seconds)} at the student's speed"


def _counted(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count} {what}s"
