"""The Screening page on a screened run, on a run without screening, on an empty cache, and on hostile text."""

import re
import shutil
from functools import partial

import duckdb
import pytest

from tests.hostile import TEXTS
from tests.pages.drawn import payload_of


@pytest.fixture
def open_screening(open_page):
    return partial(open_page, "screening")


@pytest.fixture
def changed(screened, tmp_path):
    """A copy of the screened run in its own cache, modified by SQL."""

    def change(*statements):
        folder = tmp_path / "cache"
        folder.mkdir()
        with duckdb.connect(str(shutil.copy(screened[1], folder))) as connection:
            for statement in statements:
                connection.execute(*statement) if isinstance(statement, tuple) else connection.execute(statement)
        return tmp_path

    return change


def table(app):
    (found,) = [part.proto for part in app.get("bidi_component") if part.proto.component_name == "odd_table"]
    return payload_of(found)


def said(app):
    return " ".join(part.value for kind in (app.info, app.markdown, app.caption) for part in kind).replace("\\", "")


def test_a_screened_run_has_its_figures_its_table_and_what_is_left_out(open_screening, changed):
    app = open_screening(changed())
    assert len(app.get("plotly_chart")) == 2
    assert "questions are kept" in said(app) and "CC BY 4.0" in said(app)
    shown = app.dataframe[0].value
    assert shown["context"].tolist() == ["Baseline", "Self-1C", "Self-1C1W", "Self-Sum-1C1W", "Self-1C (tiny-m)"]
    assert any(column.startswith("paper") for column in shown)
    left = {row["key"]: row["cells"][1]["note"] for row in table(app)["rows"]}
    assert left["impossible"] == "no correct rollout among 32: excluded"


def test_choices_are_in_the_address(open_screening, changed):
    app = open_screening(changed(), screened="all", reference="none")
    assert {row["key"] for row in table(app)["rows"]} == {"sum", "compare", "impossible"}
    assert not any(column.startswith("paper") for column in app.dataframe[0].value)
    app.selectbox(key="view-screened").select("kept").run()
    assert app.query_params["screened"] in ("kept", ["kept"])
    app.selectbox(key="view-reference").select("1.7B-BoolQ").run()
    assert "Qwen3-1.7B, BoolQ" in said(app)
    assert not app.exception


def test_a_run_without_a_screening_says_how_to_get_one(open_screening, finished):
    app = open_screening(finished[0].cache.parent)
    assert "odd screen" in said(app) and not app.get("plotly_chart")


def test_an_empty_cache_says_what_to_do(open_screening, tmp_path):
    assert "There are no runs yet" in said(open_screening(tmp_path))


def test_a_screening_that_is_not_complete_says_so(open_screening, changed):
    app = open_screening(changed("DELETE FROM screening WHERE question = 1"))
    assert "not complete" in said(app)
    assert "not screened yet" in [row["cells"][1]["note"] for row in table(app)["rows"]]


def test_a_screening_that_keeps_nothing_says_so(open_screening, changed):
    app = open_screening(changed("UPDATE screening SET available = false, reason = 'no *wrong* response'"))
    assert "No question is kept" in said(app)


def test_hostile_text_stays_text(open_screening, changed):
    everything = " ".join(TEXTS)
    app = open_screening(
        changed(
            ("UPDATE screening_contexts SET context = ? WHERE ordinal = 0", [everything]),
            ("UPDATE screening SET context = ? WHERE context = 'Self-1C'", [everything]),
            ("UPDATE screening_rollouts SET context = ? WHERE context = 'Self-1C'", [everything]),
            ("UPDATE screening SET reason = ? WHERE NOT available", [everything]),
            ("UPDATE screening_contexts SET config = ?", [everything]),
            ("UPDATE questions SET text = ?", [everything]),
        )
    )
    for part in [*app.markdown, *app.caption]:
        assert not re.search(r"(?<!\\)[<$]", part.value)
    assert len(app.get("plotly_chart")) == 2
