"""`odd check`: what the checks before a run find, as lines, followed by prompts side by side and rollouts."""

import json
from difflib import SequenceMatcher
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from odd.cli.options import (
    CONFIG,
    LIMIT,
    NEW_CACHE,
    PRESET,
    QUESTIONS,
    QUIET,
    SET,
    STUDENT,
    TABLE_WIDTH,
    TEACHER,
    settings_of,
)
from odd.pipeline.checks.finding import Finding
from odd.text import visible_text

COLORS = {"ok": "green", "warning": "yellow", "error": "red"}


def check(
    preset: PRESET = "demo",
    config: CONFIG = None,
    student: STUDENT = None,
    questions: QUESTIONS = None,
    limit: LIMIT = None,
    teacher: TEACHER = None,
    cache: NEW_CACHE = None,
    set_: SET = None,
    quiet: QUIET = False,
    json_: Annotated[bool, typer.Option("--json", help="Print each finding as a JSON object.")] = False,
) -> None:
    """Check a run before it is paid for: prompts, tokens, answers, scores, memory and time (docs/check.md).

    Takes the options of `run`, samples 8 rollouts, writes nothing. Exit status 1 if there is an error.
    """
    settings = settings_of(preset, config, student, questions, limit, teacher, cache, set_)
    # this import loads torch, so it comes after the settings have been validated
    from odd.pipeline.checks import check as findings_of

    console, found = Console(highlight=False), []
    for finding in findings_of(settings):
        found.append(finding)
        if json_:
            print(json.dumps(finding.to_json()), flush=True)
        else:
            console.print(_line(finding), soft_wrap=True)
    if not json_ and not quiet:
        console.width = max(console.width, TABLE_WIDTH)
        for finding in found:
            _show(console, finding)
    if any(finding.verdict == "error" for finding in found):
        raise typer.Exit(1)


def _line(finding: Finding) -> Text:
    line = Text.assemble((f"{finding.verdict:8}", COLORS[finding.verdict]), (f"{finding.check}: ", "bold"))
    line.append(visible_text(finding.text))
    return line.append(f"; {finding.remedy}" if finding.remedy else "")


def _show(console: Console, finding: Finding) -> None:
    """Print the texts of a finding: two prompts side by side, others one below the other."""
    if not finding.shown:
        return
    console.print(Text(f"\n{finding.check}", "bold"))
    if finding.is_comparison:
        console.print(_side_by_side(*finding.shown))
        return
    for heading, text in finding.shown:
        console.print(Text(visible_text(heading), "bold dim"))
        console.print(Text(visible_text(text)))


def _side_by_side(left: tuple[str, str], right: tuple[str, str]) -> Table:
    """Return a table of two texts, line by line, in which lines that differ are marked."""
    table = Table("", left[0], right[0], show_lines=False, expand=True)
    ours, theirs = left[1].splitlines(), right[1].splitlines()
    for kind, i, j, k, m in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        style, mark = ("dim", " ") if kind == "equal" else ("yellow", "≠")
        for row in range(max(j - i, m - k)):
            one = ours[i + row] if i + row < j else ""
            other = theirs[k + row] if k + row < m else ""
            table.add_row(mark, Text(visible_text(one)), Text(visible_text(other)), style=style)
    return table
