"""Commands that do not need a run: `models`, `verify`, `vectors`."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.cli.options import CACHE, DEFAULT_CACHE, say
from odd.errors import OddError
from odd.row_files import Row, json_rows
from odd.text import visible_text

if TYPE_CHECKING:
    from odd.questions.verdicts import Judged


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
    questions: Annotated[
        str | None,
        typer.Option(
            help="Questions of which FILE is a log, in a format of odd import; any source of questions, or 'log' for "
            "the gold answers in its rows."
        ),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Compare with a column of rewards instead of printing verdicts."),
    ] = None,
    threshold: Annotated[float, typer.Option(help="With --compare: a reward above it counts as right.")] = 0.5,
    reward: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="With --questions: reward column, if the log has several.")
    ] = None,
    thinking_marks: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="OPENS CLOSES", help="Marks of a thinking part beside the usual ones."),
    ] = None,
    inside_thinking: Annotated[
        bool, typer.Option("--inside-thinking", help="The prompts have opened the thinking part.")
    ] = False,
) -> None:
    """Judge responses as a run would, and print a JSON object for each: correct, answer, and error if there is one."""
    from odd.config import parse_config
    from odd.questions.verdicts import verdicts

    parse_config({"student": {"thinking_marks": thinking_marks}})  # the same marks as in a run
    if questions is not None:
        judged = _logged(file, questions, compare or reward, inside_thinking, thinking_marks)
    else:
        judged = verdicts(_responses(file), compare, inside_thinking, thinking_marks)
    if compare is not None:
        _compare(judged, compare, threshold)
        return
    for one in judged:
        print(json.dumps(one.verdict.to_json(), ensure_ascii=True), flush=True)


def _logged(
    file: Path, source: str, reward: str | None, inside: bool, marks: tuple[str, str] | None
) -> Iterator["Judged"]:
    """Judge the responses of a log."""
    from odd.config import QuestionsConfig
    from odd.config.run import LOG_SOURCE
    from odd.questions.sources import load_questions
    from odd.rollouts.log_records import every_record
    from odd.rollouts.log_verdicts import log_verdicts

    questions = None if source == LOG_SOURCE else load_questions(QuestionsConfig(source=source))
    return log_verdicts(every_record((str(file),), reward), questions, inside, marks)


def _responses(file: Path) -> Iterator[Row]:
    try:
        yield from json_rows("responses", file)
    except OSError as error:
        raise OddError(f"{file}: {error.strerror or error}; give a JSON Lines file of responses") from error


def _compare(judged: Iterable["Judged"], column: str, threshold: float) -> None:
    """Count how often verdicts agree with rewards, and list the disagreements."""
    agreeing = compared = 0
    for one in judged:
        if one.reward is None:
            continue
        compared += 1
        verdict = one.verdict
        if verdict.correct == (one.reward > threshold):
            agreeing += 1
            continue
        found = verdict.error or ("no answer" if verdict.answer is None else f"answer {verdict.answer!r}")
        said = "right" if verdict.correct else "wrong"
        say(visible_text(f"{one.place}: {said}, {column} {one.reward:g}: {found}, gold {one.gold!r}"))
    if not compared:
        raise OddError(f"no row has a number in {column!r}: name another column with --compare")
    say(f"{agreeing:,} of {compared:,} verdicts agree with {column} ({agreeing / compared:.1%})")


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
