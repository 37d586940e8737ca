"""Commands that do not need a run: `models`, `vectors`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.cli.options import CACHE, DEFAULT_CACHE
from odd.errors import OddError


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
