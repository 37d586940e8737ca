"""The commands of `python -m odd`, in the order of its help."""

import typer

from odd.cli.checking import models, vectors
from odd.cli.making import import_, run, screen, teach
from odd.cli.reporting import findings, show, weights
from odd.cli.upgrading import upgrade

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="On-policy Distillation Diagnostics: does a teacher's signal push a student towards correct answers?",
)
for command in (screen, run):
    app.command()(command)
app.command("import")(import_)
for command in (teach, show, findings, weights, upgrade, models, vectors):
    app.command()(command)

__all__ = ["app"]
