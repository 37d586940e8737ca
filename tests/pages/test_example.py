"""Every page on the example run, which users see first."""

import shutil

import pytest

from odd.config import load_config
from odd.pipeline.frame import run_id_of
from odd.pipeline.teachers import Models
from odd.questions.sources import load_questions
from odd.store import RunReader
from tests.pages.conftest import ROOT
from tests.pages.drawn import payload_of

(EXAMPLE,) = (ROOT / "cache").glob("example-*.duckdb")
CONFIG = load_config(file=ROOT / "cache" / "example.toml")
QUESTION = "t005-level5"
TEACHERS = ["tiny-l", "Self-1C", "Self-1C1W", "Self-check"]


@pytest.fixture
def example(cache):
    """A folder with the example run in its cache."""
    shutil.copy(EXAMPLE, cache)
    return cache.parent


def drawn(app, name):
    """The payload of the component with this name."""
    (found,) = every(app, name)
    return found


def every(app, name):
    """The payloads of all components with this name."""
    found = [part.proto for part in app.get("bidi_component") if part.proto.component_name == f"odd_{name}"]
    return [payload_of(proto) for proto in found]


def said(app):
    kinds = (app.markdown, app.caption, app.text, app.info)
    return " ".join(part.value for kind in kinds for part in kind).replace("\\", "")


def test_runs_lists_it(open_page, example):
    app = open_page("runs", example)
    assert EXAMPLE.stem in said(app)
    assert "4 teachers: tiny-l, Self-1C, Self-1C1W, Self-check" in said(app)


def test_questions_lists_its_questions_with_all_teachers(open_page, example):
    table = drawn(open_page("questions", example), "table")
    assert QUESTION in [row["key"] for row in table["rows"]]
    assert len(table["rows"]) == 4
    assert set(TEACHERS) <= {column["title"] for column in table["columns"]}


def test_tree_opens_at_the_question_with_most_decision_points(open_page, example):
    app = open_page("tree", example)
    assert app.query_params["question"] == QUESTION
    assert "Is 9*10+16 greater than 8-18*8-14?" in said(app)
    assert len(drawn(app, "generation_tree")["paths"]) == 4
    assert drawn(app, "token_path")["heading"]["decisions"] > 0


def test_compare_has_all_teachers(open_page, example):
    app = open_page("compare", example)
    means = {row["teacher"]: row["mean"]["value"] for row in drawn(app, "teacher_table")["rows"]}
    assert set(means) == set(TEACHERS)
    # the student under another name has no gradient
    assert [teacher for teacher, mean in means.items() if mean is None] == ["Self-check"]
    assert drawn(app, "disagreements")["rows"]


def test_findings_rank_its_teachers(open_page, example):
    app = open_page("findings", example)
    ranking = next(table for table in every(app, "table") if table["label"] == "Which teacher points towards success")
    assert {row["cells"][0] for row in ranking["rows"]} == set(TEACHERS)
    assert "4 questions" in said(app)


def test_screening_compares_the_contexts(open_page, example):
    app = open_page("screening", example)
    assert "4 of 4 questions are kept" in said(app)


def test_it_is_finished_and_complete_for_its_config():
    with RunReader(EXAMPLE) as run:
        assert run.meta["status"] == "finished"
        assert run.query("teachers")["teacher"].tolist() == [teacher.name for teacher in CONFIG.teachers] == TEACHERS
        objectives = {objective.label for objective in CONFIG.analysis.objectives}
        assert set(run.query("measures")["objective"]) == objectives


def test_its_name_is_the_one_that_its_config_gives():
    assert EXAMPLE.stem == run_id_of(CONFIG, load_questions(CONFIG.questions), Models(CONFIG, CONFIG.cache))
