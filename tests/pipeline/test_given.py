"""Teachers that are shown what a question itself has: its reference solution or its hint."""

import json

import pytest

from odd.config import parse_config
from odd.errors import OddError
from odd.pipeline.frame import run_id_of
from odd.pipeline.teachers import Models
from odd.pipeline.worker import run
from odd.questions.sources import load_questions
from odd.store import RunReader
from odd.views.teacher_context import given_to
from tests.runs import QUICK_QUESTIONS, ROLLOUTS, quick_config, rows

TEACHERS = [{"name": "Solved", "context": "solution"}, {"name": "Hinted", "context": "hint"}, {"name": "Self-check"}]
PROMPTS = (
    "SELECT q.id, c.prompt_text, c.reason FROM contexts AS c JOIN questions AS q USING (question) WHERE teacher = "
)


def config(folder, teachers=TEACHERS, **given):
    """The quick run with a solution of its first question, and a hint of its second."""
    made = quick_config(folder, teachers=teachers)
    questions = [dict(question) for question in QUICK_QUESTIONS]
    questions[0]["solution"] = given.get("solution", "The digit 1 is in 213.")
    questions[1]["hint"] = given.get("hint", "Leave 3 out.")
    (folder / "quick.jsonl").write_text("\n".join(map(json.dumps, questions)))
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    return folder, run(config(folder), lambda step: None)


def prompts(path, teacher):
    return {id: (prompt, reason) for id, prompt, reason in rows(path, f"{PROMPTS}'{teacher}'")}


def test_the_run_does_not_depend_on_solutions_and_hints(made, tmp_path):
    for given in ({}, {"solution": "Another."}, {"solution": None, "hint": None}):
        asked = config(tmp_path, **given)
        assert run_id_of(asked, load_questions(asked.questions), Models(asked, asked.cache)) == made[1].stem


def test_initial_rollouts_do_not_depend_on_solutions_and_hints(made, quick):
    # targeted rollouts depend on the teachers
    initial = [[row for row in rows(path, ROLLOUTS) if "initial" in row] for path in (made[1], quick[1])]
    assert initial[0] and repr(initial[0]) == repr(initial[1])


def test_a_teacher_is_shown_the_solution_or_the_hint(made):
    solved, hinted = prompts(made[1], "Solved"), prompts(made[1], "Hinted")
    assert "The reference solution of this question:\n```\nThe digit 1 is in 213.\n```" in solved["one"][0]
    assert "A hint for this question:\n```\nLeave 3 out.\n```" in hinted["small"][0]
    assert rows(made[1], "SELECT count(*) FROM demonstrations") == [(0,)]


def test_the_student_sees_neither(made):
    asked = "".join(prompt for (prompt,) in rows(made[1], "SELECT prompt_text FROM questions"))
    assert "213" not in asked and "Leave" not in asked


def test_a_question_without_one_says_so(made):
    assert prompts(made[1], "Solved")["small"] == ("", "the question has no solution")
    assert prompts(made[1], "Hinted")["one"] == ("", "the question has no hint")


def test_the_page_names_what_is_shown(made):
    with RunReader(made[1]) as opened:
        [example] = given_to(opened, 0, "Solved").examples
    assert (example.title, example.text) == ("the reference solution of the question", "The digit 1 is in 213.")


def test_other_solutions_in_a_run_that_shows_them_are_refused(made):
    folder, _ = made
    with pytest.raises(OddError, match="other solutions or hints, which teacher 'Solved' shows: restore them"):
        run(config(folder, solution="Another."), lambda step: None)


def test_solutions_may_be_added_to_a_run_that_shows_none(tmp_path):
    run(config(tmp_path, [{"name": "Self-check"}], solution=None, hint=None), lambda step: None)
    path = run(config(tmp_path), lambda step: None)
    assert "213" in prompts(path, "Solved")["one"][0]


def test_a_teacher_that_is_shown_the_solution_has_no_writer():
    teacher = {"name": "Solved", "context": "solution", "demonstrations": {"name": "tiny-m"}}
    with pytest.raises(OddError, match="which no model writes: remove its demonstrations"):
        parse_config({"teachers": [teacher]})
