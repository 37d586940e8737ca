"""Commands that open the dashboard: `app`, and `demo`, which makes a run for it first."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from odd.cli.making import make
from odd.cli.options import CACHE, DEFAULT_CACHE, LIMIT, say
from odd.config import load_config
from odd.errors import OddError
from odd.places import DASHBOARD

PORT = Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on; if not given, 8501 or the next.")]
HOST = Annotated[str, typer.Option(help="Address to listen on. There is no login: whoever reaches it can delete runs.")]
HEADLESS = Annotated[bool, typer.Option("--headless", "--no-open", help="Serve without opening a browser.")]
LOCAL = "localhost"


def app(
    context: typer.Context,
    cache: CACHE = DEFAULT_CACHE,
    port: PORT = None,
    host: HOST = LOCAL,
    headless: HEADLESS = False,
) -> None:
    """Open the dashboard. Options of Streamlit are passed on, such as --server.maxUploadSize=2000."""
    serve(cache, command(port, host, headless, context.args), host)


def demo(
    limit: LIMIT = None,
    cache: CACHE = DEFAULT_CACHE,
    no_app: Annotated[bool, typer.Option("--no-app", help="Only make the run.")] = False,
    port: PORT = None,
    host: HOST = LOCAL,
    headless: HEADLESS = False,
) -> None:
    """Make the demo run, in about a minute and without downloads, and open it in the dashboard."""
    fewer = () if limit is None else (f"questions.limit={limit}",)
    run = make(load_config("demo", overrides=fewer).model_copy(update={"cache": cache}))
    if not no_app:
        serve(cache, command(port, host, headless, ["--", f"questions?run={run.stem}"]), host)


def command(port: int | None, host: str, headless: bool, others: Sequence[str] = ()) -> list[str]:
    """The command that serves the dashboard.

    Args:
        port: to listen on; None: Streamlit's own, or the next that is free.
        host: address to listen on.
        headless: whether no browser is opened.
        others: options of `streamlit run`; after `--`, the page that the browser is opened at.

    Raises:
        OddError: the files of the dashboard are not there.
    """
    script = DASHBOARD / "app.py"
    if not script.is_file():
        raise OddError(f"the dashboard is missing from {DASHBOARD}: install odd again")
    # -P: a file of the working directory must not be taken for a module
    start = [sys.executable, "-P", "-m", "streamlit", "run", str(script), "--server.address", host]
    start += ["--server.port", str(port)] if port is not None else []
    start += ["--server.headless", "true"] if headless else []
    return [*start, *others]


def serve(cache: Path, server: list[str], host: str) -> NoReturn:
    """Become the server of the dashboard on the runs of a folder; never returns."""
    if host != LOCAL:
        say(f"There is no login: whoever reaches {host} can start and delete runs.")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(server[0], server, os.environ | {"ODD_CACHE": str(cache)})
