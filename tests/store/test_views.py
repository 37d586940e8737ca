"""The views on the example run."""

import duckdb
import pytest

from odd.store import VIEWS
from tests.store.example_run import ROWS


def test_path_scores_has_a_row_for_every_position_with_or_without_a_score(filled):
    rows = filled.query("SELECT * FROM path_scores ORDER BY path, position")
    assert list(zip(rows.path, rows.position, strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert rows.alignment.isna().tolist() == [False, True, False, True]
    assert rows.decision.isna().tolist() == [False, True, False, True]
    assert rows.correct.tolist() == [True, True, False, False]
    assert rows.normalised_depth.tolist() == [0, 0.5, 0, 0.5]
    assert rows.text.fillna("?").tolist() == ["a\0b", "�", "a\0b", "?"]


def test_path_scores_has_only_available_teachers(filled):
    assert filled.query("SELECT DISTINCT teacher FROM path_scores").teacher.tolist() == ["big"]


def test_path_scores_has_rows_for_declared_measures_without_any_score(filled):
    filled.delete("scores")
    assert len(filled.query("SELECT * FROM path_scores")) == 0
    filled.set_meta("objectives", "reverse_kl,jsd_0.5")
    filled.set_meta("conventions", "on_policy-full-off,pooled-full-off")
    rows = filled.query("SELECT objective, convention, count(*) AS n FROM path_scores GROUP BY ALL")
    assert len(rows) == 4 and set(rows.n) == {4}


@pytest.mark.parametrize(
    ("convention", "visits", "success"),
    [("on_policy-full-off", 2, 0.5), ("pooled-full-off", 8, 0.125), ("stratified-full-off", 2, 0.25)],
)
def test_token_gradients_shows_the_success_of_its_pooling(filled, convention, visits, success):
    for table in ("components", "gradients"):
        filled.delete(table)
        filled.insert(table, [ROWS[table][0] | {"convention": convention}])
    rows = filled.query("SELECT * FROM token_gradients ORDER BY token DESC")
    assert rows.token.tolist() == [7, 5, -1]
    five, rest = rows.iloc[1], rows.iloc[2]
    assert (five.visits, five.success) == (visits, success)
    assert (five.p_student, five.p_teacher) == (pytest.approx(0.5), pytest.approx(0.75))
    assert (five.ideal, five.teacher_gradient, five.text) == (0.25, 0.5, "a\0b")
    assert rest[["visits", "success", "p_student", "p_teacher", "ideal"]].isna().all()


def test_branches_has_each_pooling_rule(filled):
    rows = filled.query("SELECT * FROM branches WHERE node = 1").set_index("pooling")
    assert rows.success.to_dict() == {"on_policy": 0.5, "pooled": 0.125, "stratified": 0.25}
    assert set(rows.text) == {"a\0b"} and set(rows.rollouts) == {8}


def test_question_summary_counts_what_is_there_and_nothing_else(filled):
    first, second = filled.query("SELECT * FROM question_summary").to_dict("records")
    assert (first["initial_rollouts"], first["initial_correct"], first["initial_truncated"]) == (4, 1, 1)
    assert (first["targeted_rollouts"], first["decision_points"], first["pass_rate"]) == (1, 1, 0.25)
    assert (first["teachers_available"], first["teachers_unavailable"]) == (1, 1)
    assert second["initial_rollouts"] == second["paths"] == 0 and second["pass_rate"] != second["pass_rate"]


def test_views_work_in_a_file_opened_by_itself(filled):
    with duckdb.connect(str(filled.published), read_only=True) as connection:
        for name in VIEWS:
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0] > 0
