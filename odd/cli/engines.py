"""Commands about inference servers: `odd engines check`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from odd.cli.options import CACHE, DEFAULT_CACHE
from odd.config import parse_config
from odd.errors import OddError
from odd.text import visible_text

if TYPE_CHECKING:
    from odd.models.server.start import Finding

engines = typer.Typer(no_args_is_help=True, help="Inference servers (docs/servers.md).")
COLORS = {"ok": "green", "note": "yellow", "error": "red"}


@engines.command()
def check(
    addresses: Annotated[list[str], typer.Argument(metavar="URL...", help="Servers, such as http://gpu1:8000.")],
    model: Annotated[
        str | None, typer.Option(help="Embedded model, folder or hub name whose tokenizer the servers should have.")
    ] = None,
    server_model: Annotated[str | None, typer.Option(help="Name of the model on the servers.")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable with the API key.")] = None,
    top: Annotated[int, typer.Option(help="Tokens per distribution to ask for; 0: all.")] = 20,
    cache: CACHE = DEFAULT_CACHE,
    json_: Annotated[bool, typer.Option("--json", help="Print each finding as a JSON object.")] = False,
) -> None:
    """Print what servers are and can do; exit status 1 if something is in the way of a run."""
    given = {"name": model, "server_model": server_model, "api_key_env": api_key_env, "server_top": top}
    student = {name: value for name, value in given.items() if value is not None} | {"server": addresses}
    settings = parse_config({"student": student}).student
    # this import loads transformers, so it comes after the settings have been validated
    from odd.models.server.language_model import check_servers

    console, failed = Console(highlight=False), False
    for address in settings.server:
        try:
            found = check_servers(settings.model_copy(update={"server": (address,)}), cache, local=model is not None)
        except OddError as error:
            found = [_error(str(error))]
        for finding in found:
            failed |= finding.status == "error"
            if json_:
                print(json.dumps({"server": address, **asdict(finding)}), flush=True)
            else:
                line = Text.assemble((f"{finding.status:6}", COLORS[finding.status]), (f"{finding.check}: ", "bold"))
                console.print(line.append(visible_text(finding.text)), soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _error(text: str) -> "Finding":
    from odd.models.server.start import Finding

    return Finding("server", "error", text)
