"""Commands that open the dashboard: `app`, and `demo`, which first creates a run."""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from odd.access import READ_ONLY
from odd.cli.making import make
from odd.cli.options import CACHE, DEFAULT_CACHE, LIMIT, say
from odd.config import load_config
from odd.errors import OddError
from odd.places import DASHBOARD

PORT = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Port to listen on; default: the first free from 8501.")
]
HOST = Annotated[str, typer.Option(help="Address to listen on; others than this machine need --allow-anonymous.")]
ANONYMOUS = Annotated[
    bool, typer.Option("--allow-anonymous", help="Serve whoever reaches the address: there is no login.")
]
SHOW_ONLY = Annotated[bool, typer.Option("--read-only", help="Only show runs: start, stop, delete and upload nothing.")]
HEADLESS = Annotated[bool, typer.Option("--headless", "--no-open", help="Serve without opening a browser.")]
ALLOW_HOST = Annotated[
    list[str] | None,
    typer.Option(help="Further name that browsers may use for the server, e.g. a proxy's. Repeatable."),
]
LOCAL = "localhost"
LOCAL_NAMES = "localhost", "127.0.0.1", "::1"
ALL_ADDRESSES = "0.0.0.0", "::", ""


def app(
    context: typer.Context,
    cache: CACHE = DEFAULT_CACHE,
    port: PORT = None,
    host: HOST = LOCAL,
    allow_host: ALLOW_HOST = None,
    headless: HEADLESS = False,
    read_only: SHOW_ONLY = False,
    allow_anonymous: ANONYMOUS = False,
) -> None:
    """Open the dashboard. Streamlit options such as --server.maxUploadSize=2000 are passed on."""
    serve(cache, command(port, host, headless, context.args, allow_host or ()), host, allow_anonymous, read_only)


def demo(
    limit: LIMIT = None,
    cache: CACHE = DEFAULT_CACHE,
    no_app: Annotated[bool, typer.Option("--no-app", help="Only create the run.")] = False,
    port: PORT = None,
    host: HOST = LOCAL,
    headless: HEADLESS = False,
    allow_anonymous: ANONYMOUS = False,
) -> None:
    """Create the demo run, in about a minute and without downloads, and open it in the dashboard."""
    if not no_app:
        check_address(host, allow_anonymous)
    fewer = () if limit is None else (f"questions.limit={limit}",)
    run = make(load_config("demo", overrides=fewer).model_copy(update={"cache": cache}))
    if not no_app:
        serve(cache, command(port, host, headless, ["--", f"questions?run={run.stem}"]), host, allow_anonymous)


def command(
    port: int | None, host: str, headless: bool, others: Sequence[str] = (), names: Sequence[str] = ()
) -> list[str]:
    """Return the command that serves the dashboard.

    Args:
        port: port to listen on; None for Streamlit's default or the next free one.
        host: address to listen on.
        headless: whether to open no browser.
        others: options of `streamlit run`; after `--`, the page to open in the browser.
        names: further names by which browsers may address the server.

    Raises:
        OddError: the files of the dashboard are missing, or `others` contains the address to listen on.
    """
    if any(one.partition("=")[0] == "--server.address" for one in others):
        raise OddError("--server.address: give the address to listen on with --host")
    script = DASHBOARD / "app.py"
    if not script.is_file():
        raise OddError(f"the dashboard is missing from {DASHBOARD}: install odd again")
    # -P: do not import modules from the working directory
    start = [sys.executable, "-P", "-m", "streamlit", "run", str(script), "--server.address", host]
    for name in allowed_hosts(host, names):
        start += ["--server.allowedHosts", name]
    start += ["--server.port", str(port)] if port is not None else []
    start += ["--server.headless", "true"] if headless else []
    return [*start, *others]


def allowed_hosts(host: str, names: Sequence[str] = ()) -> list[str]:
    """Return the names by which browsers may address the server, so that no other site can pose as it (DNS rebinding).

    Args:
        host: address to listen on; one that stands for all addresses adds the names of this machine.
        names: further names.
    """
    own = sorted({socket.gethostname(), socket.getfqdn()}, key=len) if host in ALL_ADDRESSES else [host]
    return list(dict.fromkeys([*LOCAL_NAMES, *own, *names]))


def check_address(host: str, allow_anonymous: bool) -> None:
    """Check that only users of this machine reach the dashboard, unless anybody may.

    Raises:
        OddError: others may reach it, and nobody said that they may.
    """
    if host not in LOCAL_NAMES and not allow_anonymous:
        raise OddError(
            f"--host {host}: there is no login, so whoever reaches this address could start and delete runs: add "
            "--allow-anonymous, and --read-only to let them only look"
        )


def serve(
    cache: Path, server: list[str], host: str, allow_anonymous: bool = False, read_only: bool = False
) -> NoReturn:
    """Replace this process with the dashboard server for the runs of a folder; never returns.

    Raises:
        OddError: see `check_address`.
    """
    check_address(host, allow_anonymous)
    if host not in LOCAL_NAMES:
        say(f"There is no login: whoever reaches {host} can {'read' if read_only else 'start and delete'} runs.")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(server[0], server, os.environ | {"ODD_CACHE": str(cache)} | ({READ_ONLY: "1"} if read_only else {}))
