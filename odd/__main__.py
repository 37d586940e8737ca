"""The command line: `python -m odd screen|run|import|teach|show|weights|models|vectors`."""

import json
import re
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.config import (
    PRESETS,
    RULE_THRESHOLDS,
    ModelConfig,
    RunConfig,
    TeacherConfig,
    WeightsConfig,
    load_config,
    parse_config,
    parse_weights,
)
from odd.errors import OddError
from odd.teacher_settings import SHOWN

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="On-policy Distillation Diagnostics: does a teacher's signal push a student towards correct answers?",
)
CACHE = Annotated[Path, typer.Option("--cache", help="Folder of run files.")]
DEFAULT_CACHE = load_config().cache
WEIGHTS = WeightsConfig()
TABLE_WIDTH = 136


PRESET = Annotated[str, typer.Option(help=f"What to start from: {', '.join(PRESETS)}.")]
CONFIG = Annotated[Path | None, typer.Option(help="TOML file with settings that replace the preset's.")]
STUDENT = Annotated[str | None, typer.Option(help="Student: embedded model, folder, or hub name.")]
QUESTIONS = Annotated[
    str | None,
    typer.Option(help="Questions: bundled set, .jsonl, .csv or .parquet file, hf:NAME?split=..., gym:NAME?size=..."),
]
LIMIT = Annotated[int | None, typer.Option(help="Take only the first questions.")]
TEACHER = Annotated[
    list[str] | None,
    typer.Option(
        help=f"NAME=MODEL[:CONTEXT][,demonstrations=MODEL][,summarizer=MODEL], contexts {', '.join(SHOWN)}; "
        "MODEL 'student' is the student. Repeatable."
    ),
]
NEW_CACHE = Annotated[Path | None, typer.Option("--cache", help="Folder of run files.")]
SET = Annotated[list[str] | None, typer.Option("--set", help="Any other setting, as section.key=value. Repeatable.")]
SHOW_CONFIG = Annotated[bool, typer.Option("--show-config", help="Print the settings and stop.")]


@app.command()
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
    settings = _settings(preset, config, student, questions, limit, teacher, cache, set_)
    _make(settings, show_config)


@app.command("import")
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
    _make(_settings(preset, config, student, questions, limit, teacher, cache, [*own, *(set_ or ())]), show_config)


def _make(settings: RunConfig, show_config: bool) -> None:
    """Make a run, or print what it would be made with."""
    if show_config:
        print(settings.model_dump_json(indent=2))
        return
    # what brings torch comes after the settings are known to be good
    from odd.console import Bars
    from odd.cost import reading_of_a_run
    from odd.pipeline import run as make

    _say(reading_of_a_run(settings))
    with Bars(settings.cache) as bars:
        path = make(settings, bars)
    _print_run(path)


@app.command()
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
    """Find out how often the student is right, alone and behind each context; `run` goes on with the same options."""
    settings = _settings(preset, config, student, questions, limit, teacher, cache, set_)
    if show_config:
        print(settings.model_dump_json(indent=2))
        return
    from odd.console import SCREENING, Bars
    from odd.pipeline import screen as make

    with Bars(settings.cache, SCREENING) as bars:
        path = make(settings, bars)
    _print_run(path)


def _settings(
    preset: str,
    config: Path | None,
    student: str | None,
    questions: str | None,
    limit: int | None,
    teacher: list[str] | None,
    cache: Path | None,
    set_: list[str] | None,
) -> RunConfig:
    """The settings that the options of `run`, `import` and `screen` ask for."""
    short = {"student.name": student, "questions.source": questions, "questions.limit": limit, "cache": cache}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in short.items() if value is not None}
    overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    settings = load_config(preset, config, (*overrides, *(set_ or ())))
    if not teacher:
        return settings
    given = [parse_teacher(text, settings.student).model_dump(mode="json") for text in teacher]
    return parse_config(settings.model_dump(mode="json") | {"teachers": given})


@app.command()
def teach(
    run_: Annotated[str, typer.Argument(metavar="RUN", help="Run id or path of its file.")],
    teacher: TEACHER = None,
    config: Annotated[Path | None, typer.Option(help="TOML file whose [[teachers]] are added.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Add teachers to a finished run: each costs one forward pass a path, and demonstrations if they are new."""
    teachers = [parse_teacher(text, ModelConfig()) for text in teacher or ()]
    if config is not None:
        teachers += load_config(file=config).teachers
    if not teachers:
        raise OddError("no teacher is named: give --teacher NAME=MODEL[:CONTEXT] or --config FILE with [[teachers]]")
    folder, run_id = locate(run_, cache)
    from odd.console import Bars
    from odd.cost import reading_of_teachers
    from odd.pipeline import teach as add

    _say(reading_of_teachers(folder, run_id, len(teachers)))
    with Bars(folder) as bars:
        path = add(folder, run_id, teachers, bars)
    _print_run(path)


@app.command()
def show(
    run_: Annotated[str, typer.Argument(metavar="RUN", help="Run id or path of its file.")],
    objective: Annotated[str, typer.Option(help="Objective whose scores are shown.")] = "reverse_kl",
    convention: Annotated[str, typer.Option(help="Convention of the scores.")] = "on_policy-full-off",
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Print what a run found: its screening, its questions, and per teacher the scores on both kinds of path."""
    folder, run_id = locate(run_, cache)
    _print_run(folder / f"{run_id}.duckdb", objective, convention)


@app.command()
def weights(
    run_: Annotated[str, typer.Argument(metavar="RUN", help="Run id or path of its file.")],
    teacher: Annotated[str | None, typer.Option(help="Teacher of the scores; needed if there are several.")] = None,
    rule: Annotated[str, typer.Option(help=f"What is kept: {', '.join(RULE_THRESHOLDS)}.")] = WEIGHTS.rule,
    threshold: Annotated[
        float | None, typer.Option(help="Keep tokens whose score is above; 0, or 0.975 for p_positive.")
    ] = None,
    outcome: Annotated[str, typer.Option(help="Of the rollouts: all, correct, incorrect.")] = WEIGHTS.outcome,
    rollouts: Annotated[str, typer.Option(help="paths, or all initial ones.")] = WEIGHTS.rollouts,
    objective: Annotated[str, typer.Option(help="Objective of the scores.")] = WEIGHTS.objective,
    convention: Annotated[str, typer.Option(help="Convention of the scores.")] = WEIGHTS.convention,
    unscored: Annotated[float, typer.Option(help="Weight of a token without a score.")] = WEIGHTS.unscored,
    out: Annotated[Path | None, typer.Option(help="Folder, or beginning of the files' names.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Write per-token loss weights for a trainer: which tokens of the run's rollouts to learn from."""
    asked = {"teacher": teacher, "rule": rule, "threshold": threshold, "outcome": outcome, "rollouts": rollouts}
    asked |= {"objective": objective, "convention": convention, "unscored": unscored}
    wanted = parse_weights(asked)
    folder, run_id = locate(run_, cache)
    from odd.store import RunReader
    from odd.weights import about, training_rows, write_weights

    with RunReader(folder / f"{run_id}.duckdb") as reader:
        rows, coverage = training_rows(reader, wanted)
        described = about(reader.run_id, reader.meta, wanted, coverage)
    _say(str(coverage))
    for file in write_weights(rows, described, out or Path(f"{run_id}-weights")):
        _say(str(file))


@app.command()
def models(cache: CACHE = DEFAULT_CACHE) -> None:
    """List the models that come with the installation; prepare those that need it."""
    from odd.models.embedded import EMBEDDED, embedded_path

    table = Table("name", "what it is", "where")
    for model in EMBEDDED.values():
        try:
            where = str(embedded_path(model.name, cache))
        except OddError as error:
            where = str(error)
        table.add_row(model.name, model.description, Text(where))  # a path may look like rich's markup
    Console().print(table)
    print("Any other causal language model of transformers goes by its folder or hub name.")


@app.command()
def vectors(file: Annotated[Path, typer.Argument(help="JSON in the format of tests/oracle/*.json.")]) -> None:
    """Compute what a file of test vectors asks for and print it as JSON, to check other implementations."""
    from odd.parsing import parse_json
    from odd.vectors import compute_vectors

    try:
        document = parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise OddError(f"{file}: {error.strerror}; give a JSON file of test vectors") from error
    except ValueError as error:
        raise OddError(f"{file} is not JSON ({error}): give a file like tests/oracle/cases.json") from error
    print(json.dumps(compute_vectors(document)))


def parse_teacher(text: str, like: ModelConfig) -> TeacherConfig:
    """`NAME=MODEL[:CONTEXT][,demonstrations=MODEL][,summarizer=MODEL]` as a teacher.

    The model `student` stands for the student itself.

    Args:
        text: what the user wrote.
        like: a model whose device and dtype another model gets.

    Raises:
        OddError: the text has another form; says which.
    """
    name, equals, rest = text.partition("=")
    rest, *writers = re.split(r",(?=(?:demonstrations|summarizer)=)", rest)
    model, colon, context = rest.rpartition(":")
    if not colon:
        model, context = rest, "none"
    named = {"model": model} | {key: value for key, _, value in (writer.partition("=") for writer in writers)}
    if not equals or not all(named.values()):
        raise OddError(f"--teacher {text!r}: write it as NAME=MODEL[:CONTEXT], for instance Self-1C=student:1c")
    models = {
        key: None if value == "student" else like.model_copy(update={"name": value}).model_dump()
        for key, value in named.items()
    }
    parsed = parse_config({"teachers": [{"name": name, "context": context, **models}]})
    return parsed.teachers[0]


def locate(run_: str, cache: Path) -> tuple[Path, str]:
    """Folder and id of a run given by id or by path."""
    path = Path(run_)
    return (path.parent, path.stem) if path.suffix == ".duckdb" else (cache, run_)


def _say(line: str | None) -> None:
    """Print a line of plain text, if there is one."""
    if line:
        Console().print(Text(line), soft_wrap=True)


def _print_run(path: Path, objective: str = "reverse_kl", convention: str = "on_policy-full-off") -> None:
    from odd.summary import print_summary

    console = Console()
    console.width = max(console.width, TABLE_WIDTH)  # a pipe or a narrow terminal must not break the numbers
    print_summary(path, objective, convention, console)


def _leave(*_: object) -> None:
    """End at the first SIGTERM; a second one must not cut short the publication of what was done."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    """Run the command line; an error that the user can mend is one line, without a traceback."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        app(standalone_mode=False)
    except OddError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except typer.Exit as leave:
        return leave.exit_code
    except (typer.Abort, KeyboardInterrupt):
        print("stopped; finished work is kept, the same command goes on from there", file=sys.stderr)
        return 130
    except typer.TyperException as error:
        print(f"error: {error.format_message()}; see python -m odd --help", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
