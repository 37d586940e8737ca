"""Commands that make runs: `run`, `import`, `screen`, `add-teacher`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from odd.cli.options import (
    CACHE,
    CONFIG,
    DEFAULT_CACHE,
    LIMIT,
    NEW_CACHE,
    PRESET,
    QUESTIONS,
    RUN,
    SET,
    SHOW_CONFIG,
    STUDENT,
    TEACHER,
    locate,
    parse_teacher,
    print_run,
    say,
    settings_of,
)
from odd.config import ModelConfig, RunConfig, load_config
from odd.errors import OddError
from odd.pipeline.stages import Kind, Stage


def run(
    preset: PRESET = "demo",
    config: CONFIG = None,
    student: STUDENT = None,
    questions: QUESTIONS = None,
    limit: LIMIT = None,
    teacher: TEACHER = None,
    cache: NEW_CACHE = None,
    set_: SET = None,
    show_config: SHOW_CONFIG = False,
) -> None:
    """Make a run, or take up one that was interrupted, and print its table."""
    settings = settings_of(preset, config, student, questions, limit, teacher, cache, set_)
    _make(settings, show_config)


def import_(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="JSON Lines or Parquet as TRL, verl or we write it; or folders."),
    ],
    questions: QUESTIONS = None,
    step: Annotated[list[int] | None, typer.Option(help="Training step to take, of several. Repeatable.")] = None,
    reward: Annotated[str | None, typer.Option(help="Column of the reward, where there are several.")] = None,
    threshold: Annotated[float | None, typer.Option(help="A reward above it means correct.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Judge answers anew instead of believing rewards.")] = False,
    preset: PRESET = "demo",
    config: CONFIG = None,
    student: STUDENT = None,
    limit: LIMIT = None,
    teacher: TEACHER = None,
    cache: NEW_CACHE = None,
    set_: SET = None,
    show_config: SHOW_CONFIG = False,
) -> None:
    """Make a run whose initial rollouts come from the logs of a training run (docs/import.md)."""
    given = {"files": files, "steps": step, "reward": reward, "threshold": threshold, "verify": verify or None}
    own = [f"imported.{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    _make(settings_of(preset, config, student, questions, limit, teacher, cache, [*own, *(set_ or ())]), show_config)


def _make(settings: RunConfig, show_config: bool, kind: Kind = "run") -> None:
    """Make a run or its screening, or print the settings that it would be made with."""
    if show_config:
        print(settings.model_dump_json(indent=2))
    else:
        make(settings, kind)


def make(settings: RunConfig, kind: Kind = "run") -> Path:
    """Make a run or its screening, drawing progress bars; print what it found and return its file."""
    # what brings torch comes after the settings are known to be good
    from odd.cli.console import Bars
    from odd.pipeline import screening, worker
    from odd.pipeline.cost import reading_of_a_run

    if kind == "run":
        say(reading_of_a_run(settings))
    work = worker.run if kind == "run" else screening.screen
    with Bars(settings.cache, Stage.of(kind)) as bars:
        path = work(settings, bars)
    print_run(path)
    return path


def screen(
    preset: PRESET = "demo",
    config: CONFIG = None,
    student: STUDENT = None,
    questions: QUESTIONS = None,
    limit: LIMIT = None,
    teacher: TEACHER = None,
    cache: NEW_CACHE = None,
    set_: SET = None,
    show_config: SHOW_CONFIG = False,
) -> None:
    """Find out how often the student is right, alone and with each context; `run` goes on with the same options."""
    settings = settings_of(preset, config, student, questions, limit, teacher, cache, set_)
    _make(settings, show_config, "screening")


def add_teacher(
    run_: RUN,
    teacher: TEACHER = None,
    config: Annotated[Path | None, typer.Option(help="TOML or JSON file whose teachers are added.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Add teachers to a finished run: each costs one forward pass per path, and demonstrations if they are new."""
    teachers = [parse_teacher(text, ModelConfig()) for text in teacher or ()]
    if config is not None:
        teachers += load_config(file=config).teachers
    if not teachers:
        raise OddError("no teacher is named: give --teacher NAME=MODEL[:CONTEXT] or --config FILE with [[teachers]]")
    folder, run_id = locate(run_, cache)
    from odd.cli.console import Bars
    from odd.pipeline.cost import reading_of_teachers
    from odd.pipeline.worker import add_teachers

    say(reading_of_teachers(folder, run_id, len(teachers)))
    with Bars(folder, Stage.of("run")) as bars:
        path = add_teachers(folder, run_id, teachers, bars)
    print_run(path)
