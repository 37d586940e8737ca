"""The command line: `python -m odd run|teach|show|findings|models|vectors`."""

import json
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.config import PRESETS, ModelConfig, TeacherConfig, load_config, parse_config
from odd.errors import OddError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="On-policy Distillation Diagnostics: does a teacher's signal push a student towards correct answers?",
)
CACHE = Annotated[Path, typer.Option("--cache", help="Folder of run files.")]
DEFAULT_CACHE = load_config().cache
TABLE_WIDTH = 136


@app.command()
def run(
    preset: Annotated[str, typer.Option(help=f"What to start from: {', '.join(PRESETS)}.")] = "demo",
    config: Annotated[Path | None, typer.Option(help="TOML file with settings that replace the preset's.")] = None,
    student: Annotated[str | None, typer.Option(help="Student: embedded model, folder, or hub name.")] = None,
    questions: Annotated[str | None, typer.Option(help="Questions: bundled set or JSON Lines file.")] = None,
    limit: Annotated[int | None, typer.Option(help="Take only the first questions.")] = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(help="NAME=MODEL[:CONTEXT], contexts none, 1c, 1c1w; MODEL 'student' is the student. Repeatable."),
    ] = None,
    cache: Annotated[Path | None, typer.Option("--cache", help="Folder of run files.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other setting, as section.key=value. Repeatable.")
    ] = None,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print the settings and stop.")] = False,
) -> None:
    """Make a run, or take up one that was interrupted, and print its table."""
    short = {"student.name": student, "questions.source": questions, "questions.limit": limit, "cache": cache}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in short.items() if value is not None}
    overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    settings = load_config(preset, config, (*overrides, *(set_ or ())))
    if teacher:
        given = [parse_teacher(text, settings.student).model_dump(mode="json") for text in teacher]
        settings = parse_config(settings.model_dump(mode="json") | {"teachers": given})
    if show_config:
        print(settings.model_dump_json(indent=2))
        return
    # what brings torch comes after the settings are known to be good
    from odd.console import Bars
    from odd.pipeline import run as make

    with Bars(settings.cache) as bars:
        path = make(settings, bars)
    _print_run(path)


@app.command()
def teach(
    run_: Annotated[str, typer.Argument(metavar="RUN", help="Run id or path of its file.")],
    teacher: Annotated[list[str] | None, typer.Option(help="NAME=MODEL[:CONTEXT], as in `run`. Repeatable.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file whose [[teachers]] are added.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Add teachers to a finished run. Nothing is sampled: each costs one forward pass a path."""
    teachers = [parse_teacher(text, ModelConfig()) for text in teacher or ()]
    if config is not None:
        teachers += load_config(file=config).teachers
    if not teachers:
        raise OddError("no teacher is named: give --teacher NAME=MODEL[:CONTEXT] or --config FILE with [[teachers]]")
    folder, run_id = locate(run_, cache)
    from odd.console import Bars
    from odd.pipeline import teach as add

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
    """Print what a run found: its questions, and per teacher the scores on correct and incorrect paths."""
    folder, run_id = locate(run_, cache)
    _print_run(folder / f"{run_id}.duckdb", objective, convention)


@app.command()
def findings(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run ids or paths; several stand side by side.")],
    objective: Annotated[str, typer.Option(help="Objective of the scores.")] = "reverse_kl",
    convention: Annotated[str, typer.Option(help="Convention of the scores.")] = "on_policy-full-off",
    paths: Annotated[str, typer.Option(help="Paths that count: all, correct, incorrect.")] = "all",
    difficulty: Annotated[str, typer.Option(help="Questions that count: all, easy, medium, hard.")] = "all",
    kind: Annotated[str | None, typer.Option(help="Kind of answer of the questions that count.")] = None,
    beside: Annotated[str, typer.Option(help="The paper's numbers to stand beside: 0.6B-BoolQ, ..., none.")] = "none",
    out: Annotated[Path | None, typer.Option(help="Folder for findings.md and a CSV file a table.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Print what runs show over all their questions, and write every table."""
    from odd.findings.command import write_findings

    chosen = {"objective": objective, "convention": convention, "outcome": paths, "difficulty": difficulty}
    files = [folder / f"{run_id}.duckdb" for folder, run_id in (locate(one, cache) for one in runs)]
    print(write_findings(files, chosen | {"kind": kind, "reference": beside}, out))


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
    """`NAME=MODEL[:CONTEXT]` as a teacher; the model `student` stands for the student itself.

    Args:
        text: what the user wrote.
        like: a model whose device and dtype another model gets.

    Raises:
        OddError: the text has another form; says which.
    """
    name, equals, rest = text.partition("=")
    model, colon, context = rest.rpartition(":")
    if not colon:
        model, context = rest, "none"
    if not equals or not model:
        raise OddError(f"--teacher {text!r}: write it as NAME=MODEL[:CONTEXT], for instance Self-1C=student:1c")
    settings = {
        "name": name,
        "context": context,
        "model": None if model == "student" else like.model_copy(update={"name": model}).model_dump(),
    }
    parsed = parse_config({"teachers": [settings]})
    return parsed.teachers[0]


def locate(run_: str, cache: Path) -> tuple[Path, str]:
    """Folder and id of a run given by id or by path."""
    path = Path(run_)
    return (path.parent, path.stem) if path.suffix == ".duckdb" else (cache, run_)


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
