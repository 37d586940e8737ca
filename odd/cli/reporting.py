"""Commands that report the results of runs: `show`, `findings`, `weights`."""

from pathlib import Path
from typing import Annotated

import typer

from odd.cli.options import CACHE, DEFAULT_CACHE, RUN, locate, print_run, say
from odd.config import RULE_THRESHOLDS, USUAL, WeightsConfig, parse_weights
from odd.errors import OddError
from odd.method.measures import colours

WEIGHTS = WeightsConfig()


def show(
    run_: RUN,
    objective: Annotated[str | None, typer.Option(help="Objective of the scores.")] = None,
    convention: Annotated[str | None, typer.Option(help="Convention of the scores.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Print the results of a run: screening, questions, and scores per teacher on correct and incorrect paths."""
    folder, run_id = locate(run_, cache)
    print_run(folder / f"{run_id}.duckdb", objective, convention)


def weights(
    run_: RUN,
    teacher: Annotated[str | None, typer.Option(help="Teacher of the scores; required if there are several.")] = None,
    rule: Annotated[str, typer.Option(help=f"Tokens to keep: {', '.join(RULE_THRESHOLDS)}.")] = WEIGHTS.rule,
    threshold: Annotated[
        float | None, typer.Option(help="Keep tokens with a score above it; default: 0, or 0.975 for p_positive.")
    ] = None,
    outcome: Annotated[str, typer.Option(help="Outcome of the rollouts: all, correct, incorrect.")] = WEIGHTS.outcome,
    rollouts: Annotated[str, typer.Option(help="Rollouts to write: paths, or all initial ones.")] = WEIGHTS.rollouts,
    objective: Annotated[str, typer.Option(help="Objective of the scores.")] = WEIGHTS.objective,
    convention: Annotated[str, typer.Option(help="Convention of the scores.")] = WEIGHTS.convention,
    target: Annotated[
        str, typer.Option(help="Whose success influence is about: same (all questions of the run), other.")
    ] = WEIGHTS.target,
    unscored: Annotated[float, typer.Option(help="Weight of a token without a score.")] = WEIGHTS.unscored,
    out: Annotated[Path | None, typer.Option(help="Output folder, or prefix of the file names.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Write per-token loss weights for a trainer: the tokens of the run's rollouts to learn from."""
    asked = {"teacher": teacher, "rule": rule, "threshold": threshold, "outcome": outcome, "rollouts": rollouts}
    asked |= {"objective": objective, "convention": convention, "unscored": unscored, "target": target}
    wanted = parse_weights(asked)
    folder, run_id = locate(run_, cache)
    from odd.export.weights import about, training_rows, write_weights
    from odd.store import RunReader

    with RunReader(folder / f"{run_id}.duckdb") as reader:
        rows, coverage = training_rows(reader, wanted)
        described = about(reader.run_id, reader.meta, wanted, coverage)
        say(str(coverage))
        for file in write_weights(rows, described, out or Path(f"{run_id}-weights")):
            say(str(file))


def export(
    run_: RUN,
    out: Annotated[Path, typer.Option(help="File ending in .html for one question, else a folder for all of them.")],
    question: Annotated[str | None, typer.Option(help="Id of the question; default: most decision points.")] = None,
    path: Annotated[str | None, typer.Option(help="Response shown first, such as 'incorrect 1'.")] = None,
    token: Annotated[int | None, typer.Option(help="Position of the token that is pinned at first.")] = None,
    teacher: Annotated[list[str] | None, typer.Option(help="Teachers to include; default: all. Repeatable.")] = None,
    colour: Annotated[str | None, typer.Option(help=f"Colour shown first: {', '.join(colours())}.")] = None,
    objective: Annotated[str | None, typer.Option(help="Objective of the scores.")] = None,
    convention: Annotated[str | None, typer.Option(help="Convention of the scores.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave out: texts, prompts. Repeatable.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Write questions as HTML files that show tree, tokens and teachers without a server or a network."""
    folder, run_id = locate(run_, cache)
    from odd.export.offline import Contents, asked_view, write_question, write_site
    from odd.store import RunReader

    contents = Contents.without(without or ())
    with RunReader(folder / f"{run_id}.duckdb") as reader:
        view = asked_view(reader, question, path, token, teacher or (), colour, objective, convention)
        if out.suffix.lower() in (".html", ".htm"):
            say(str(write_question(reader, view, out, contents)))
            return
        if question is not None:
            raise OddError(f"--out {out}: a single question is a file: end its name in .html")
        for file in write_site(reader, view, out, contents):
            say(str(file))


def findings(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run ids or paths; several are compared.")],
    objective: Annotated[str, typer.Option(help="Objective of the scores.")] = USUAL["objective"],
    convention: Annotated[str, typer.Option(help="Convention of the scores.")] = USUAL["convention"],
    paths: Annotated[str, typer.Option(help="Paths to include: all, correct, incorrect.")] = "all",
    difficulty: Annotated[str, typer.Option(help="Questions to include: all, easy, medium, hard.")] = "all",
    kind: Annotated[str | None, typer.Option(help="Kind of answer of the questions to include.")] = None,
    beside: Annotated[str, typer.Option(help="The paper's numbers to compare with: 0.6B-BoolQ, ..., none.")] = "none",
    out: Annotated[Path | None, typer.Option(help="Output folder for findings.md and one CSV file per table.")] = None,
    cache: CACHE = DEFAULT_CACHE,
) -> None:
    """Print the findings of runs over all their questions; with --out, also write every table."""
    from odd.cli.findings import write_findings

    chosen = {"objective": objective, "convention": convention, "outcome": paths, "difficulty": difficulty}
    files = [folder / f"{run_id}.duckdb" for folder, run_id in (locate(one, cache) for one in runs)]
    print(write_findings(files, chosen | {"kind": kind, "reference": beside}, out))
