"""The table of questions: contents of the run file, filters, order, and the payload for the browser."""

import json

import numpy as np
import pandas as pd
import pytest

from odd.export.tables import csv
from odd.store import RunReader, RunWriter
from odd.views.links import ViewState
from odd.views.question_table import FEW, export, listed, opened, payload, question_table, scale_limit, sort_keys
from tests.store.example_run import ROWS, RUN

HOSTILE = "<img src=x onerror=alert(1)> $x$ \x1b[31m"
QUESTIONS = pd.DataFrame(
    [
        # question, id, text, difficulty, stage, correct of 10, every teacher available
        (0, "b", "Two apples?", "easy", "scored", 9, 2),
        (1, "a", HOSTILE, "hard", "scored", 1, 2),
        (2, "c", "Five APPLES?", None, "new", 0, 0),
        (3, "d", "=1+1", "never", "scored", 0, 1),
    ],
    columns=["question", "id", "text", "difficulty", "stage", "initial_correct", "teachers_available"],
).assign(kind="number", note=None, decision_points=99)
QUESTIONS["initial_rollouts"] = [10, 10, 0, 10]
QUESTIONS["pass_rate"] = QUESTIONS["initial_correct"] / QUESTIONS["initial_rollouts"].replace(0, np.nan)
MEANS = pd.DataFrame(
    [
        (0, "big", 0.25, 6, 0.5, 2, 0.0, 4),
        (0, "self", -0.5, 3, np.nan, 0, -0.5, 3),
        (1, "big", -0.25, 8, 0.0, 4, -0.5, 4),
        (1, "self", np.nan, 0, np.nan, 0, np.nan, 0),
    ],
    columns=["question", "teacher", "alignment", "n", "correct", "n_correct", "incorrect", "n_incorrect"],
)


FRAMES = {
    "questions": QUESTIONS,
    "question_alignment": MEANS,
    "question_decisions": pd.DataFrame({"question": [0, 1], "decision_points": [6, 8]}),
    "teachers": pd.DataFrame({"teacher": ["big", "self"]}),
    "contexts_unavailable": pd.DataFrame({"question": [3], "teacher": ["self"], "reason": ["no correct rollout"]}),
}


class Fake:
    run_id = "run"

    def __init__(self, **replaced):
        self.frames = FRAMES | replaced

    def query(self, name, /, **params):
        return self.frames[name]


@pytest.fixture
def table():
    return question_table(Fake(), "reverse_kl", "on_policy-full-off")


def ids(table, **view):
    return listed(table, ViewState(**view))["id"].tolist()


def cell(table, question, title, **view):
    drawn = payload(table, table.rows, ViewState(**view), running=True)
    at = [column["title"] for column in drawn["columns"]].index(title)
    return drawn["rows"][question]["cells"][at]


def test_decision_points_are_those_of_the_convention_and_none_is_zero(table):
    assert table.rows["decision_points"].drop(2).tolist() == [6, 8, 0]


def test_a_question_that_is_not_scored_has_no_number_of_decision_points(table):
    columns = [column["title"] for column in payload(table, table.rows, ViewState(), running=True)["columns"]]
    assert table.drawn[2]["cells"][columns.index("decision")] is None
    assert "c" not in listed(table, ViewState(having=("decisions",)))["id"].tolist()
    assert pd.isna(export(table, table.rows)["decision_points"].loc[2])


def test_the_gap_is_incorrect_minus_correct_averaged_over_the_teachers_that_have_both(table):
    assert table.rows["gap"].tolist()[:2] == [-0.5, -0.5]
    assert table.rows["gap"].isna().tolist() == [False, False, True, True]
    assert cell(table, 0, "gap")["parts"] == [-0.5, None]


def test_a_pass_rate_has_its_interval_and_an_unsampled_question_has_none(table):
    rate = cell(table, 0, "pass rate")
    assert 0 < rate["low"] < rate["value"] == 0.9 < rate["high"] < 1 and rate["n"] == 10
    assert cell(table, 2, "pass rate") == {"value": None, "low": None, "high": None, "n": 0}


def test_few_decision_points_are_marked_and_a_missing_alignment_says_why(table):
    assert not cell(table, 0, "big")["few"] and cell(table, 0, "self")["few"]
    reasons = [cell(table, question, "self").get("why") for question in range(4)]
    assert reasons[0] is None and "gradient is zero" in reasons[1]
    assert reasons[2:] == ["not scored yet", "no correct rollout"]
    assert cell(table, 3, "big")["why"] == "no decision point"


def test_filters_leave_what_they_name_and_work_together(table):
    assert ids(table, difficulty="hard") == ["a"]
    assert ids(table, search="apples") == ["b", "c"]
    assert ids(table, search="apples", having=("decisions",)) == ["b"]
    assert ids(table, having=("teachers",)) == ["b", "a"]
    assert ids(table, search="nowhere") == []


@pytest.mark.parametrize(
    "sort", ["question", "text", "kind", "pass_rate", "difficulty", "alignment:big", "gap", "stage"]
)
def test_every_column_sorts_both_ways(table, sort):
    assert sort in sort_keys(table)
    assert sorted(ids(table, sort=sort)) == sorted(ids(table, sort=f"-{sort}")) == ["a", "b", "c", "d"]


def test_what_is_unknown_comes_last_either_way(table):
    assert ids(table, sort="pass_rate") == ["d", "a", "b", "c"]
    assert ids(table, sort="-pass_rate") == ["b", "a", "d", "c"]
    assert ids(table, sort="-alignment:big") == ["b", "a", "c", "d"]
    assert ids(table, sort="difficulty") == ["b", "a", "d", "c"]


def test_an_order_that_does_not_exist_is_that_of_the_run(table):
    assert ids(table, sort="-nonsense") == ["b", "a", "c", "d"]
    assert payload(table, table.rows, ViewState(sort="-nonsense"), False)["sort"] == "question"


def test_the_payload_is_json_without_nan_and_spells_control_characters(table):
    text = json.dumps(payload(table, table.rows, ViewState(run="r"), True), allow_nan=False)
    assert "\\u001b" not in text and "<img src=x onerror=alert(1)>" in text


def test_the_stage_is_shown_only_while_the_run_is_running(table):
    def titles(running):
        return [column["title"] for column in payload(table, table.rows, ViewState(), running)["columns"]]

    assert set(titles(True)) - set(titles(False)) == {"stage"}


def test_a_row_opens_its_question_with_nothing_pinned():
    view = opened(ViewState(run="r", question="old", path=3, position=4, node=5, folded=(1,), teacher="big"), "new")
    assert view == ViewState(run="r", question="new", teacher="big")


def test_the_scale_of_the_bars_holds_all_values():
    assert scale_limit(np.array([0.2, np.nan, -0.3])) == 0.5
    assert scale_limit(np.array([np.nan])) > 0


def test_a_run_without_teachers_still_lists_its_questions():
    run = Fake(teachers=pd.DataFrame({"teacher": []}), question_alignment=MEANS.iloc[:0])
    table = question_table(run, None, None)
    drawn = payload(table, table.rows, ViewState(), True)
    assert len(drawn["rows"]) == 4 and "gap" not in [column["title"] for column in drawn["columns"]]


def test_the_export_keeps_all_rows_and_disarms_formulas(table):
    text = csv(export(table, table.rows)).decode()
    assert text.splitlines()[0].startswith("id,text,") and "'=1+1" in text
    assert len(text.splitlines()) == 5


def test_a_run_file_gives_the_means_of_its_decision_points(tmp_path):
    with RunWriter(tmp_path, RUN) as writer:
        for name, rows in ROWS.items():
            writer.insert(name, rows)
        writer.publish()
    with RunReader(tmp_path / f"{RUN}.duckdb") as reader:
        table = question_table(reader, "reverse_kl", "on_policy-full-off")
        other = question_table(reader, "reverse_kl", "pooled-full-off")
    first = table.rows.iloc[0]
    assert (first["alignment:big"], first["n:big"], first["decision_points"]) == (0.5, 1, 1)
    assert first["n:self"] == 0 and table.reasons == {(0, "self"): "no correct rollout"}
    assert first["gap"] == 0, "the node lies on both paths and counts for both"
    assert other.rows["decision_points"].fillna(0).tolist() == [0, 0] and FEW > 1
