"""Cost of `minillm`, for which student and teachers read all rollouts; reported before a run starts."""

import json
from pathlib import Path

from odd.config import ModelConfig, RunConfig, parse_config
from odd.errors import OddError
from odd.pipeline.estimate import Speed, benchmark_speed, estimate, measured_speed
from odd.pipeline.stages import Stage
from odd.questions.sources import load_questions
from odd.store import RunReader, newest_finished, published_path
from odd.text import rough

RECENT = 20
"""Number of finished runs to search for a measured speed."""


def known_speed(cache: Path, student: ModelConfig) -> Speed | None:
    """Return the speed of the student's newest finished run in the cache, else of the benchmark, else None."""
    for info in newest_finished(cache, RECENT):
        try:
            with RunReader(info.path) as reader:
                speed = measured_speed(reader, reader.meta, student)
        except OddError:
            continue
        if speed is not None:
            return speed
    return benchmark_speed(student)


def reading_of_a_run(config: RunConfig) -> str | None:
    """Describe the cost of reading a run's rollouts in one line.

    Returns:
        The line; None if no objective needs it, or the number of questions is not known before the logs are read.

    Raises:
        OddError: the questions of the run cannot be read.
    """
    if config.asks_log or not config.analysis.reading_temperatures:
        return None
    questions, speed = len(load_questions(config.questions)), known_speed(config.cache, config.student)
    readers, asked = _counted(len(config.teachers), "teacher"), _counted(questions, "question")
    who = f"minillm: the student and {readers} read all rollouts of {asked}"
    if speed is None:
        return f"{who}; the time cannot be estimated before a run of this student is finished here"
    guess = estimate(config, questions, speed)
    seconds, tokens = guess.parts[Stage.READ], float(f"{guess.read_tokens:.2g}")
    share = f"{100 * seconds / guess.seconds:.0f}% of the run"
    how = "at the student's speed; a rough estimate from " + speed.source
    return f"{who}, about {tokens:,.0f} tokens in all: {rough(seconds)}, {share}, {how}"


def reading_of_teachers(cache: Path, run_id: str, teachers: int) -> str | None:
    """Describe the reading cost of adding teachers to a run in one line.

    Returns:
        The line; None if no objective of the run needs reading, or the run is not published.

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
