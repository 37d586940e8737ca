"""Commands of `odd`, in the order of its help."""

from typing import Annotated

import typer

from odd import __version__
from odd.cli import dashboard
from odd.cli.checking import models, vectors, verify
from odd.cli.checks import check
from odd.cli.engines import engines
from odd.cli.influence import influence
from odd.cli.making import add_teacher, import_, run, screen
from odd.cli.reporting import export, findings, show, weights
from odd.cli.run_files import check_run, upgrade

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = {
    "Start here": {"demo": dashboard.demo},
    "View runs": {"app": dashboard.app, "show": show, "findings": findings},
    "Create runs": {
        "check": check,
        "screen": screen,
        "run": run,
        "import": import_,
        "add-teacher": add_teacher,
        "influence": influence,
    },
    "Export": {"export": export, "weights": weights},
    "Maintenance": {"models": models, "verify": verify, "vectors": vectors, "check-run": check_run, "upgrade": upgrade},
}
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

for panel, commands in COMMANDS.items():
    for name, function in commands.items():
        app.command(name, rich_help_panel=panel, context_settings=PASSED_ON if name == "app" else None)(function)
app.add_typer(engines, name="engines", rich_help_panel="Maintenance")
app.command("teach", hidden=True)(add_teacher)  # its name before 0.1.0


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    """On-policy Distillation Diagnostics: does a teacher's signal push a student towards correct answers?

    Start with `odd demo`, which creates a first run and shows it. For help on a command, use e.g. `odd run --help`.
    """
    if version:
        print(f"odd {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


__all__ = ["app"]
