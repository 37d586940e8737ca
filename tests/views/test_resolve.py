"""If a run lacks what a link points to, this is reported and the closest match is shown."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from odd.store import RunReader
from odd.views.links import ViewState
from odd.views.resolve import question_number, resolve
from tests.hostile import IMAGE, QUESTIONS, TEACHERS, TEXTS, make_hostile

TABLES = {
    "measures": {
        "objective": ["forward_kl", "forward_kl", "reverse_kl", "reverse_kl"],
        "convention": ["on_policy-full-off", "pooled-full-off"] * 2,
    },
    "teachers": {"teacher": ["big", "small", "self"]},
    "questions": {"question": [0, 1, 2], "id": ["one", "two", "none"], "decision_points": [3, 7, 0]},
    "paths": {"path": [0, 1], "length": [5, 2], "question": [0, 0]},
}
NODES = range(4)


class Fake:
    """A run with a few tables; question 2 has no paths."""

    run_id = "fake"

    def __init__(self, **tables):
        self.tables = TABLES | tables

    def query(self, name, /, **params):
        if name == "nodes_known":
            return pd.DataFrame({"node": [node for node in params["nodes"] if node in NODES]})
        frame = pd.DataFrame(self.tables[name])
        return frame.iloc[:0] if name == "paths" and params["question"] == 2 else frame


RUN = Fake()
ASKED = ViewState(
    run="fake",
    question="one",
    path=1,
    position=1,
    node=2,
    unfolded=(0, 3),
    folded=(1,),
    teacher="small",
    teachers=("self", "big"),
    baseline="big",
    objective="forward_kl",
    convention="pooled-full-off",
)


def test_what_the_run_has_is_left_as_it_is():
    assert resolve(RUN, ASKED).view == ASKED
    assert resolve(RUN, ASKED).notices == ()


def test_missing_parts_are_filled_in_silently():
    resolved = resolve(RUN, ViewState(run="fake"))
    assert resolved.notices == ()
    assert resolved.view == ViewState(
        run="fake",
        question="two",
        path=0,
        teacher="big",
        teachers=("big", "small", "self"),
        baseline="big",
        objective="reverse_kl",
        convention="on_policy-full-off",
    )


def test_resolving_twice_changes_nothing_more():
    once = resolve(RUN, replace(ASKED, position=9, teacher="x", path=7)).view
    assert resolve(RUN, once).view == once and resolve(RUN, once).notices == ()


@pytest.mark.parametrize(
    ("part", "value", "nearest"),
    [
        ("question", "three", "two"),
        ("path", 9, 0),
        ("position", 2, None),
        ("node", 99, None),
        ("unfolded", (0, 99), (0,)),
        ("folded", (99,), ()),
        ("teacher", "unknown", "big"),
        ("teachers", ("big", "unknown"), ("big",)),
        ("baseline", "small", "self"),
        ("objective", "unknown", "reverse_kl"),
        ("convention", "unknown", "on_policy-full-off"),
    ],
)
def test_a_missing_thing_is_named_and_the_closest_one_shown(part, value, nearest):
    resolved = resolve(RUN, replace(ASKED, **{part: value}))
    assert getattr(resolved.view, part) == nearest
    named = value[-1] if isinstance(value, tuple) else value
    assert len([notice for notice in resolved.notices if str(named) in notice]) == 1


def test_a_token_needs_its_path():
    assert resolve(RUN, replace(ASKED, path=9, position=4)).view.position == 4
    assert resolve(RUN, replace(ASKED, path=1, position=4)).view.position is None


def test_if_all_chosen_teachers_are_unknown_all_others_are_compared():
    assert resolve(RUN, replace(ASKED, teachers=("x", "y"))).view.teachers == ("big", "small", "self")


def test_a_teacher_that_is_named_twice_is_compared_once():
    assert resolve(RUN, replace(ASKED, teachers=("big", "big", "self"))).view.teachers == ("big", "self")


def test_a_question_without_paths_has_none_to_show():
    resolved = resolve(RUN, ViewState(run="fake", question="none"))
    assert (resolved.view.path, resolved.view.position) == (None, None)
    assert resolved.notices == ()


def test_a_run_without_questions_teachers_and_scores_can_be_looked_at():
    empty = Fake(**{name: {column: [] for column in table} for name, table in TABLES.items()})
    resolved = resolve(empty, ViewState(run="fake"))
    assert resolved.view == ViewState(run="fake")
    assert resolve(empty, ASKED).view == ViewState(run="fake")
    assert len(resolve(empty, ASKED).notices) == 6


def test_a_question_is_found_by_its_id():
    assert question_number(RUN, ViewState(question="two")) == 1


ATTACKS = [text for text in TEXTS if text != IMAGE]  # which is an objective of the hostile run


@pytest.fixture(scope="module")
def reader(finished, tmp_path_factory):
    cache = tmp_path_factory.mktemp("hostile")
    with RunReader(make_hostile(finished[1], cache)) as reader:
        yield reader


@pytest.mark.parametrize("text", [*ATTACKS, "/etc/passwd", "x' OR true --"])
def test_what_a_link_says_is_only_ever_compared(reader, text):
    asked = ViewState(question=text, teacher=text, teachers=(text,), baseline=text, objective=text, convention=text)
    resolved = resolve(reader, asked)
    assert resolved.view == resolve(reader, ViewState()).view
    assert len(resolved.notices) == 6


@pytest.mark.parametrize("question", QUESTIONS.values())
@pytest.mark.parametrize("teacher", TEACHERS.values())
def test_hostile_names_are_names(reader, question, teacher):
    asked = ViewState(question=question, teacher=teacher, teachers=(teacher,), baseline=teacher)
    resolved = resolve(reader, ViewState.from_query(asked.to_query())[0])
    assert (resolved.view.question, resolved.view.teacher, resolved.view.teachers) == (question, teacher, (teacher,))
    assert resolved.notices == ()


def test_ids_in_links_reach_neither_files_nor_statements(reader, tmp_path):
    before = Path(shutil.copy(reader.path, tmp_path / "before"))
    for text in ("'; DROP TABLE nodes; --", "../../etc/passwd"):
        resolve(reader, ViewState(run=text, question=text, teacher=text, objective=text, convention=text))
    assert reader.path.read_bytes() == before.read_bytes()
    assert len(reader.query("nodes", question=0))
