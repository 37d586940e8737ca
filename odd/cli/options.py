"""Options shared by commands, and their parsing."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.text import Text

from odd.config import PRESETS, ModelConfig, RunConfig, TeacherConfig, default_cache, load_config, parse_config
from odd.config.models import ON_SERVERS
from odd.config.teachers import CONTEXTS
from odd.errors import OddError

TABLE_WIDTH = 136
_IN = typer.Option("--cache", show_default=False, help="Folder of run files; default: ODD_CACHE or ./cache.")
CACHE = Annotated[Path, _IN]
DEFAULT_CACHE = default_cache()
RUN = Annotated[str, typer.Argument(metavar="RUN", help="Run id, or path of a run file.")]
PRESET = Annotated[str, typer.Option(help=f"Preset to start from: {', '.join(PRESETS)}.")]
CONFIG = Annotated[Path | None, typer.Option(help="TOML or JSON file with settings that replace the preset's.")]
STUDENT = Annotated[
    str | None,
    typer.Option(help="Student: embedded model, folder, or hub name; NAME@http://HOST:PORT if a server runs it."),
]
QUESTIONS = Annotated[
    str | None,
    typer.Option(help="Questions: bundled set, .jsonl, .csv or .parquet file, hf:NAME?split=..., gym:NAME?size=..."),
]
LIMIT = Annotated[int | None, typer.Option(help="Use only the first N questions.")]
TEACHER = Annotated[
    list[str] | None,
    typer.Option(
        help=f"NAME=MODEL[:CONTEXT][,demonstrations=MODEL][,summarizer=MODEL], contexts {', '.join(CONTEXTS)}; "
        "MODEL 'student' is the student. Repeatable."
    ),
]
NEW_CACHE = Annotated[Path | None, _IN]
SET = Annotated[list[str] | None, typer.Option("--set", help="Any other setting, as section.key=value. Repeatable.")]
QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="Report no progress.")]
JSON = Annotated[bool, typer.Option("--json", help="Print progress and the result as JSON Lines, for programs.")]
DRY_RUN = Annotated[bool, typer.Option("--dry-run", help="Print what the run will take, and stop.")]
RESCORE = Annotated[bool, typer.Option("--rescore", help="Replace scores with other analysis settings.")]
SHOW_CONFIG = Annotated[bool, typer.Option("--show-config", help="Print the settings and stop.")]


Reporting = Literal["progress", "quiet", "json"]
"""How a command reports its progress and its result."""


def reporting(quiet: bool, json_: bool) -> Reporting:
    """Return how to report, from the options."""
    return "json" if json_ else "quiet" if quiet else "progress"


def settings_of(
    preset: str,
    config: Path | None,
    student: str | None,
    questions: str | None,
    limit: int | None,
    teacher: list[str] | None,
    cache: Path | None,
    set_: list[str] | None,
) -> RunConfig:
    """Return the settings given by the options of `run`, `import` and `screen`."""
    name, addresses = split_servers(student or "")
    short = {"student.name": name or None, "student.server": addresses or None}
    short |= {"questions.source": questions, "questions.limit": limit, "cache": cache}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in short.items() if value is not None}
    overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    settings = load_config(preset, config, (*overrides, *(set_ or ())))
    if not teacher:
        return settings
    given = [parse_teacher(text, settings.student).model_dump(mode="json") for text in teacher]
    return parse_config(settings.model_dump(mode="json") | {"teachers": given})


def split_servers(text: str) -> tuple[str, list[str]]:
    """Split NAME@http://HOST:PORT, with several addresses separated by commas, into name and addresses."""
    name, at, addresses = text.partition("@http")
    return (name, [f"http{rest}" for rest in addresses.split(",http")]) if at else (text, [])


def parse_teacher(text: str, like: ModelConfig) -> TeacherConfig:
    """Parse `NAME=MODEL[:CONTEXT][,demonstrations=MODEL][,summarizer=MODEL]`.

    The model `student` means the student itself.

    Args:
        text: value of the option.
        like: model that provides the device and dtype of the other models.

    Raises:
        OddError: the text is malformed; the message gives the format.
    """
    name, equals, rest = text.partition("=")
    rest, *writers = re.split(r",(?=(?:demonstrations|summarizer)=)", rest)
    model, colon, context = rest.rpartition(":")
    if not colon or (context not in CONTEXTS and "@http" in rest):  # the colon of an address
        model, context = rest, "none"
    named = {"model": model} | {key: value for key, _, value in (writer.partition("=") for writer in writers)}
    if not equals or not all(named.values()):
        raise OddError(f"--teacher {text!r}: write it as NAME=MODEL[:CONTEXT], e.g. Self-1C=student:1c")
    models = {key: None if value == "student" else _like(like, *split_servers(value)) for key, value in named.items()}
    parsed = parse_config({"teachers": [{"name": name, "context": context, **models}]})
    return parsed.teachers[0]


def _like(like: ModelConfig, name: str, addresses: list[str]) -> dict[str, Any]:
    """Return the settings of another model with the device and dtype of one."""
    own = like.model_dump(exclude=set(ON_SERVERS if like.server else ON_SERVERS - {"engine"}))
    return own | {"name": name, "server": addresses}


def locate(run_: str, cache: Path) -> tuple[Path, str]:
    """Return folder and id of a run given by its id or path."""
    path = Path(run_)
    return (path.parent, path.stem) if path.suffix == ".duckdb" else (cache, run_)


def say(line: str | None) -> None:
    """Print a line of plain text unless it is None or empty."""
    if line:
        Console().print(Text(line), soft_wrap=True)


def print_run(path: Path, objective: str | None = None, convention: str | None = None) -> None:
    """Print the results of a run under an objective and a convention, or the default ones."""
    from odd.cli.summary import print_summary

    console = Console()
    console.width = max(console.width, TABLE_WIDTH)  # numbers must not wrap in a pipe or a narrow terminal
    print_summary(path, objective, convention, console)
