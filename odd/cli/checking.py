"""Commands that do not need a run: `models`, `verify`, `vectors`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.cli.options import CACHE, DEFAULT_CACHE, say
from odd.errors import OddError
from odd.row_files import Row, json_rows
from odd.text import visible_text


def models(cache: CACHE = DEFAULT_CACHE) -> None:
    """List the embedded models; prepare those that need it."""
    from odd.models.embedded import EMBEDDED, embedded_path

    table = Table("name", "description", "path")
    for model in EMBEDDED.values():
        try:
            where = str(embedded_path(model.name, cache))
        except OddError as error:
            where = str(error)
        table.add_row(model.name, model.description, Text(where))  # a path may look like rich markup
    Console().print(table)
    print("Give any other causal language model of transformers by its folder or hub name.")


def verify(
    file: Annotated[Path, typer.Argument(help="JSON Lines with kind, answer, response, and choices of each response.")],
    compare: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Compare with a column of rewards instead of printing verdicts."),
    ] = None,
    threshold: Annotated[float, typer.Option(help="With --compare: a reward above it counts as right.")] = 0.5,
) -> None:
    """Judge responses as a run would, and print a JSON object for each: correct, answer, and error if there is one."""
    from odd.questions.verdicts import verdicts

    rows = _responses(file)
    if compare is not None:
        _compare(list(rows), compare, threshold)
        return
    for verdict in verdicts(rows):
        print(json.dumps(verdict.to_json(), ensure_ascii=True), flush=True)


def _responses(file: Path) -> Iterator[Row]:
    try:
        yield from json_rows("responses", file)
    except OSError as error:
        raise OddError(f"{file}: {error.strerror or error}; give a JSON Lines file of responses") from error


def _compare(rows: list[Row], column: str, threshold: float) -> None:
    """Count how often verdicts agree with rewards, and list the disagreements."""
    from odd.questions.verdicts import verdicts

    agreeing = judged = 0
    for (place, row), verdict in zip(rows, verdicts(rows), strict=True):
        reward = row.get(column) if isinstance(row, dict) else None
        if not isinstance(reward, int | float):
            continue
        judged += 1
        if verdict.correct == (reward > threshold):
            agreeing += 1
            continue
        found = verdict.error or ("no answer" if verdict.answer is None else f"answer {verdict.answer!r}")
        said = "right" if verdict.correct else "wrong"
        say(visible_text(f"{place}: {said}, {column} {reward:g}: {found}, gold {row.get('answer')!r}"))
    if not judged:
        raise OddError(f"no row has a number in {column!r}: name another column with --compare")
    say(f"{agreeing:,} of {judged:,} verdicts agree with {column} ({agreeing / judged:.1%})")


def vectors(file: Annotated[Path, typer.Argument(help="JSON in the format of tests/oracle/*.json.")]) -> None:
    """Compute the results for a file of test vectors and print them as JSON, to check other implementations."""
    from odd.cli.vectors import compute_vectors
    from odd.text import parse_json
    from odd.untrusted import read_text

    try:
        document = parse_json(read_text(file))
    except OSError as error:
        raise OddError(f"{file}: {error.strerror}; give a JSON file of test vectors") from error
    except ValueError as error:
        raise OddError(f"{file} is not JSON ({error}): give a file like tests/oracle/cases.json") from error
    print(json.dumps(compute_vectors(document)))
