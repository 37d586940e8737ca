"""What docs/questions.md says is so: its tables are complete, and its examples give what it says."""

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest

from odd.cli import checking
from odd.config import QuestionsConfig
from odd.questions.base import Kind, Question
from odd.questions.files import question_of
from odd.questions.gym import gym_questions
from odd.questions.hub import OPTIONS, SETS
from odd.questions.published import FORMS
from odd.questions.sources import bundled_sets, load_questions, parse_source
from odd.questions.verifiers import is_correct, read_answer

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "questions.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", TEXT, re.MULTILINE))
CHOICES = [json.loads(line) for line in re.findall(r"^    (\{.*\})$", SECTIONS["Columns of files"], re.MULTILINE)]
COMMANDS = re.findall(r"^    \$ (.*)\n((?:    [^$].*\n)*)", TEXT, re.MULTILINE)

SAID = [
    ("yes_no", "yes", "Yes, since 8 > 6", True),
    ("yes_no", "no", "No idea", False),
    ("yes_no", "yes", "Yes and no", False),
    ("choice", "B", "(b)", True),
    ("choice", "B", "B) plum", True),
    ("choice", "B", "Option B", True),
    ("choice", "A", "A and B", False),
    ("choice", "A", "A plum", False),
    ("number", "1234", "1,234", True),
    ("number", "0.5", "2/4", True),
    ("number", "2.5", "2½", True),
    ("number", "-7", "- 7", True),
    ("number", "7", "7 apples", True),
    ("number", "5", "5 m/s^2", True),
    ("number", "7", r"\frac{14}{2}", True),
    ("number", "28", "28%", True),
    ("number", "7", "√7", False),
    ("number", "2", "2π", False),
    ("number", "7", "7 million", False),
    ("number", "7", "not 7", False),
    ("number", "7", "3+4", False),
    ("expression", r"\sqrt{2}\pi^2", "sqrt(2)*pi**2", True),
    ("expression", "0.28", "28%", True),
    ("expression", "1011_2", "1011_2", True),
]
"""Kind, gold answer, an answer that the page mentions, and whether it is right."""


def column(section, number=0):
    """Return the texts in code of one column of the first table of a section."""
    lines = [line.split("|")[1:-1] for line in SECTIONS[section].splitlines() if line.startswith("|")]
    return [found for cells in lines[2:] for found in re.findall("`([^`]+)`", cells[number])]


def test_the_columns_are_the_fields_of_a_question():
    assert sorted(column("Columns of files")) == sorted(Question.model_fields)


def test_the_kinds_are_those_that_there_are():
    assert sorted(column("Kinds")) == sorted(get_args(Kind))


def test_the_data_sets_are_those_that_are_known():
    assert sorted(column("Data sets on the hub")) == sorted(SETS)


def test_the_defaults_of_the_data_sets_are_right():
    for line in SECTIONS["Data sets on the hub"].splitlines():
        for name in re.findall("`([^`]+/[^`]+)`", line.split("|")[1] if line.startswith("| `") else ""):
            defaults = line.split("|")[3]
            (subset, *others), split = SETS[name].subsets, SETS[name].split
            assert f"`{split}`" in defaults
            assert "both subsets" in defaults if others else subset is None or f"`{subset}`" in defaults


def test_every_recognised_form_is_named_with_its_columns():
    lines = [line for line in SECTIONS["Sets as they are published"].splitlines() if line.startswith("| ")][1:]
    for form in FORMS:
        said = next(line for line in lines if form.name in line.split("|")[1]).lower()
        if form.name == "SciQ":
            said += "distractor2"
        if form.name == "AIME":
            said = said.replace("problem number", "")
        assert all(name in said for name in form.columns), form.name
    named = {name.strip() for line in lines for name in line.split("|")[1].split(",")}
    assert named == {form.name for form in FORMS} | {"CommonsenseQA"}


def test_the_options_of_data_sets_are_named():
    assert all(option in SECTIONS["Data sets on the hub"] for option in OPTIONS)


def test_the_sources_of_the_table_are_understood():
    sources = re.findall("`([^`]+)`", TEXT.partition("## ")[0].partition("|---|---|")[2].partition("Options follow")[0])
    schemes = {source: parse_source(source).scheme for source in sources if " " not in source}
    assert {source for source, scheme in schemes.items() if scheme == "set"} == set(bundled_sets())
    assert {"my.jsonl", "my.csv", "my.parquet"} == {source for source, scheme in schemes.items() if scheme == "file"}
    assert {"hf", "gym"} <= set(schemes.values())


def test_the_counts_of_the_bundled_sets_are_right():
    names = ("general-yes-no", "general-choice", "general-number")
    counts = [len(load_questions(QuestionsConfig(source=name))) for name in names]
    assert "| {}, {} and {} general questions".format(*counts) in TEXT


@pytest.mark.parametrize("row", CHOICES, ids=range(len(CHOICES)))
def test_every_form_of_options_gives_the_same_question(row):
    question = question_of("line 1", row, "1")
    assert (question.choices, question.answer) == (("iron", "cork"), "B")


def test_the_forms_of_options_are_shown():
    assert len(CHOICES) == 8


@pytest.mark.parametrize(("kind", "gold", "answer", "right"), SAID, ids=[f"{kind} {said}" for kind, _, said, _ in SAID])
def test_an_answer_that_the_page_mentions_gets_the_verdict_it_says(kind, gold, answer, right):
    assert f"`{answer}`" in TEXT
    choices = ("iron", "plum") if kind == "choice" else ()
    question = Question(id="a", question="?", kind=kind, answer=gold, choices=choices)
    assert is_correct(question, read_answer(question, f"Answer: {answer}")) is right


@pytest.mark.parametrize(
    "line", ["Answer: 7", "**Final Answer:** 7", "- Answer: 7", "Answer：7", r"\boxed{7}", "#### 7"]
)
def test_an_answer_stands_where_the_page_says(line):
    assert f"`{line.replace('7', 'X')}`" in TEXT or line in (r"\boxed{7}", "#### 7")
    question = Question(id="a", question="?", kind="number", answer="7")
    assert read_answer(question, f"Some steps.\n{line}") == "7"


def test_the_commands_give_what_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert [command.split()[0] for command, _ in COMMANDS] == ["echo", "odd", "odd"]
    (echo, _), (verify, shown), (log, _) = COMMANDS
    written = shlex.split(echo)
    (tmp_path / written[-1]).write_text(written[1])
    checking.verify(tmp_path / verify.split()[-1])
    assert capsys.readouterr().out.strip() == shown.strip()
    _, _, file, option, source = log.split()
    assert option == "--questions"
    checking.verify(Path(file), questions=source)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found and not any("error" in one for one in found)


def test_the_generators_are_those_of_the_page():
    for source in re.findall(r"`(gym:leg_counting[^`]+)`", TEXT):
        parsed = parse_source(source)
        assert len(gym_questions(parsed.name, parsed.options)) == 20
