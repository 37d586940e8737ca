"""Command `odd influence`."""

from typing import Annotated

import typer

from odd.cli.options import CACHE, DEFAULT_CACHE, JSON, QUIET, RUN, locate, reporting, say
from odd.config import InfluenceConfig, parse_influence
from odd.pipeline.stages import Stage

USUAL = InfluenceConfig()


def influence(
    run_: RUN,
    parameters: Annotated[
        str | None, typer.Option(help="Regular expression for the names of the weights that train; default: all.")
    ] = USUAL.parameters,
    objective: Annotated[
        list[str] | None, typer.Option(help="Objective of the run, repeatable; default: all that it is defined for.")
    ] = None,
    cache: CACHE = DEFAULT_CACHE,
    quiet: QUIET = False,
    json_: JSON = False,
) -> None:
    """Compute what each token does to success when all parameters move, and add it to a finished run (method §9)."""
    wanted = parse_influence({"parameters": parameters, "objectives": objective or []})
    folder, run_id = locate(run_, cache)
    from odd.cli.console import listening, print_result
    from odd.pipeline.influence import compute_influence

    report = reporting(quiet, json_)
    with listening(folder, Stage.of("influence"), report) as listener:
        path = compute_influence(folder, run_id, wanted, listener, say if report == "progress" else lambda line: None)
    print_result(path, report)
