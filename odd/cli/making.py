"""Commands that create or extend runs: `run`, `import`, `screen`, `add-teacher`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.cli.options import (
    CACHE,
    CONFIG,
    DEFAULT_CACHE,
    DRY_RUN,
    JSON,
    LIMIT,
    NEW_CACHE,
    PRESET,
    QUESTIONS,
    QUIET,
    RESCORE,
    RUN,
    SET,
    SHOW_CONFIG,
    STUDENT,
    TEACHER,
    Reporting,
    locate,
    parse_teacher,
    reporting,
    say,
    settings_of,
)
from odd.config import ModelConfig, RunConfig, load_config
from odd.config.models import LoggedKind
from odd.config.run import LOG_SOURCE
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
    quiet: QUIET = False,
    json_: JSON = False,
    show_config: SHOW_CONFIG = False,
    dry_run: DRY_RUN = False,
    rescore: RESCORE = False,
) -> None:
    """Execute a run, or resume one that was interrupted, and print its tables."""
    settings = settings_of(preset, config, student, questions, limit, teacher, cache, set_)
    if dry_run and not show_config:
        _tell_budget(settings, json_)
    else:
        _make(settings, show_config, reporting(quiet, json_), rescore=rescore)


def _tell_budget(settings: RunConfig, as_json: bool) -> None:
    """Print what a run will take."""
    from odd.pipeline.budget import budget
    from odd.pipeline.cost import known_speed
    from odd.questions.sources import load_questions

    questions = len(load_questions(settings.questions))
    found = budget(settings, questions, known_speed(settings.cache, settings.student))
    if as_json:
        print(json.dumps(found.to_json()))
        return
    table = Table(show_header=False, box=None)
    for what, amount in found.lines():
        table.add_row(what, Text(amount))
    Console().print(table)


def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Logs of a trainer, or folders of them; docs/import.md has the formats."
        ),
    ],
    questions: QUESTIONS = None,
    step: Annotated[list[int] | None, typer.Option(help="Training step to import. Repeatable.")] = None,
    reward: Annotated[str | None, typer.Option(help="Reward column, if there are several.")] = None,
    threshold: Annotated[float | None, typer.Option(help="A response with a reward above it is correct.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Verify answers instead of using rewards.")] = False,
    kind: Annotated[
        LoggedKind | None,
        typer.Option(help="Kind of the questions, if neither --questions nor the log has gold answers; see docs."),
    ] = None,
    preset: PRESET = "demo",
    config: CONFIG = None,
    student: STUDENT = None,
    limit: LIMIT = None,
    teacher: TEACHER = None,
    cache: NEW_CACHE = None,
    set_: SET = None,
    quiet: QUIET = False,
    json_: JSON = False,
    show_config: SHOW_CONFIG = False,
) -> None:
    """Execute a run with initial rollouts from the logs of a training run (docs/import.md)."""
    given: dict[str, Any] = {"files": files, "steps": step, "reward": reward, "threshold": threshold}
    given |= {"verify": verify or None, "kind": kind}
    own = [f"imported.{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    settings = settings_of(preset, config, student, questions, limit, teacher, cache, [*own, *(set_ or ())])
    if questions is None and config is None:
        settings = _asking_the_log(settings)
    _make(settings, show_config, reporting(quiet, json_))


def _asking_the_log(settings: RunConfig) -> RunConfig:
    """Take the questions from the logs themselves if these have gold answers, or their kind is given."""
    from odd.rollouts.log_records import has_gold

    assert settings.imported is not None
    if settings.imported.kind is None and not has_gold(settings.imported):
        return settings
    return settings.model_copy(update={"questions": settings.questions.model_copy(update={"source": LOG_SOURCE})})


def _make(settings: RunConfig, show_config: bool, report: Reporting, kind: Kind = "run", rescore: bool = False) -> None:
    """Execute a run or its screening, or only print its settings."""
    if show_config:
        print(settings.model_dump_json(indent=2))
    else:
        make(settings, report, kind, rescore)


def make(settings: RunConfig, report: Reporting = "progress", kind: Kind = "run", rescore: bool = False) -> Path:
    """Execute a run or its screening, reporting progress; print its results and return its file."""
    # these imports load torch, so they come after the settings have been validated
    from odd.cli.console import listening, print_result
    from odd.pipeline import screening, worker
    from odd.pipeline.budget import turns
    from odd.pipeline.cost import reading_of_a_run

    if report == "progress":
        say(turns(settings))
    if kind == "run" and report == "progress":
        say(reading_of_a_run(settings))
    with listening(settings.cache, Stage.of(kind), report) as listener:
        path = worker.run(settings, listener, rescore) if kind == "run" else screening.screen(settings, listener)
    print_result(path, report)
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
    quiet: QUIET = False,
    json_: JSON = False,
    show_config: SHOW_CONFIG = False,
) -> None:
    """Measure the student's accuracy without and with each context; `run` with the same options continues from it."""
    settings = settings_of(preset, config, student, questions, limit, teacher, cache, set_)
    _make(settings, show_config, reporting(quiet, json_), "screening")


def add_teacher(
    run_: RUN,
    teacher: TEACHER = None,
    config: Annotated[Path | None, typer.Option(help="TOML or JSON file with the teachers to add.")] = None,
    cache: CACHE = DEFAULT_CACHE,
    quiet: QUIET = False,
    json_: JSON = False,
) -> None:
    """Add teachers to a finished run; each costs one forward pass per path, and new demonstrations if needed."""
    teachers = [parse_teacher(text, ModelConfig()) for text in teacher or ()]
    if config is not None:
        teachers += load_config(file=config).teachers
    if not teachers:
        raise OddError("no teacher given: pass --teacher NAME=MODEL[:CONTEXT], or --config FILE with [[teachers]]")
    folder, run_id = locate(run_, cache)
    from odd.cli.console import listening, print_result
    from odd.pipeline.cost import reading_of_teachers
    from odd.pipeline.worker import add_teachers

    report = reporting(quiet, json_)
    if report == "progress":
        say(reading_of_teachers(folder, run_id, len(teachers)))
    with listening(folder, Stage.of("run"), report) as listener:
        path = add_teachers(folder, run_id, teachers, listener)
    print_result(path, report)
