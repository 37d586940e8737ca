"""Influence computed from a finished run, on the fake engine."""

import json
import shutil

import numpy as np
import pytest

from odd.config import InfluenceConfig
from odd.errors import OddError
from odd.pipeline.influence import compute_influence
from odd.pipeline.worker import add_teachers, run
from odd.store import RunReader, RunWriter
from tests.runs import change, influence_config, rows


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A finished run without influence."""
    return run(influence_config(tmp_path_factory.mktemp("plain")), lambda step: None)


def influence(folder, file, told=None, **wanted):
    """Compute the influence of a copy of a run; return its file."""
    copied = shutil.copy(file, folder)
    say = (lambda line: None) if told is None else told.append
    return compute_influence(folder, file.stem, InfluenceConfig(**wanted), lambda step: None, say), copied


@pytest.fixture(scope="module")
def made(influenced):
    return influenced[1]


SUMS = """
    SELECT question, teacher, objective, target, avg(list_sum(first)), avg(list_sum(second)), count(*)
    FROM influence GROUP BY ALL ORDER BY ALL"""


def matrix(path, teacher, objective, column):
    found = rows(
        path,
        f"""
        SELECT question, target, {column} FROM influence_matrix WHERE teacher = '{teacher}'
        AND objective = '{objective}' ORDER BY question, target""",
    )
    return np.array([value for *_, value in found]).reshape(2, 2)


def test_every_token_of_the_initial_rollouts_has_a_value(made):
    tokens = rows(
        made,
        """
        SELECT count(*), bool_and(len(i.first) = len(r.token_ids) AND len(i.second) = len(r.token_ids))
        FROM influence AS i JOIN rollouts AS r USING (question, rollout)""",
    )
    assert tokens == [(2 * 48 * 3 * 2 * 2, True)]


def test_the_file_is_sound(made):
    with RunReader(made) as reader:
        assert reader.problems() == []


def test_sums_of_tokens_are_products_of_gradients(made):
    for question, teacher, objective, target, first, second, count in rows(made, SUMS):
        assert count == 48
        for sums, half in ((first, "first"), (second, "second")):
            taught = matrix(made, teacher, objective, half)[question]
            expected = taught.mean() if target == "same" else taught[1 - question]
            assert sums == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_a_teacher_that_equals_the_student_has_none(made):
    assert rows(
        made,
        """
        SELECT DISTINCT unnest(first), unnest(second) FROM influence WHERE teacher = 'Self-check'""",
    ) == [(0, 0)]
    assert rows(made, "SELECT DISTINCT norm FROM influence_norms WHERE teacher = 'Self-check'") == [(0.0,)]


def test_the_paths_have_it_on_the_same_questions_and_on_others(made):
    found = rows(
        made,
        """
        SELECT count(*), count(influence), count(influence_other), bool_and(influence BETWEEN influence_low
            AND influence_high AND influence_other BETWEEN influence_other_low AND influence_other_high)
        FROM token_influence""",
    )[0]
    tokens = rows(made, "SELECT count(*) FROM path_tokens")[0][0]
    assert found == (tokens * 3 * 2, tokens * 3 * 2, tokens * 3 * 2, True)


def test_computing_it_again_gives_the_same_file(made, tmp_path):
    again, _ = influence(tmp_path, made)
    for table in ("influence", "influence_matrix", "influence_norms"):
        assert rows(again, f"FROM {table} ORDER BY ALL") == rows(made, f"FROM {table} ORDER BY ALL")
    assert rows(again, "SELECT count(*) FROM timings") == rows(made, "SELECT count(*) FROM timings")


def test_everything_else_stays_as_it_was(plain, made):
    for table in ("rollouts", "scores", "nodes", "contexts"):
        assert repr(rows(made, f"FROM {table} ORDER BY ALL")) == repr(rows(plain, f"FROM {table} ORDER BY ALL"))


def test_the_cost_and_what_is_left_out_are_told_before_the_start(plain, tmp_path):
    told = []
    influence(tmp_path, plain, told)
    assert told[0] == "without dr_grpo: influence is computed for objectives of two distributions"
    assert told[1].startswith("influence of ") and "of 96 rollouts in 9,216 parameters: about " in told[1]


def test_objectives_can_be_chosen(plain, tmp_path):
    made, _ = influence(tmp_path, plain, objectives=["forward_kl"])
    assert rows(made, "SELECT DISTINCT objective FROM influence") == [("forward_kl",)]
    assert json.loads(rows(made, "SELECT value FROM meta WHERE key = 'influence'")[0][0])["weights"] == 9_216


def test_an_objective_that_depends_on_outcomes_is_refused(plain, tmp_path):
    with pytest.raises(OddError, match="functions of two distributions: reverse_kl, forward_kl"):
        influence(tmp_path, plain, objectives=["dr_grpo"])


def test_a_run_that_is_not_finished_is_refused(plain, tmp_path):
    copied = shutil.copy(plain, tmp_path)
    change(copied, "UPDATE meta SET value = 'stopped' WHERE key = 'status'")
    with pytest.raises(OddError, match="is not finished: finish it with odd run first"):
        compute_influence(tmp_path, plain.stem, InfluenceConfig(), lambda step: None, lambda line: None)


def test_a_run_of_an_earlier_version_is_read_without_it_and_gets_it_once_it_is_scored_anew(plain, tmp_path):
    copied = shutil.copy(plain, tmp_path)
    views = "DROP VIEW token_influence"
    tables = [f"DROP TABLE {name}" for name in ("influence", "influence_matrix", "influence_norms")]
    change(copied, views, *tables, "UPDATE meta SET value = '4' WHERE key = 'schema_version'")
    with RunReader(tmp_path / plain.name) as reader:
        reader.verify()
        assert reader.query("influence_matrix", objective="reverse_kl").empty
    with pytest.raises(OddError, match="scores of an earlier version: continue it with odd run first"):
        compute_influence(tmp_path, plain.stem, InfluenceConfig(), lambda step: None, lambda line: None)
    add_teachers(tmp_path, plain.stem, [], lambda step: None)
    made = compute_influence(tmp_path, plain.stem, InfluenceConfig(), lambda step: None, lambda line: None)
    assert rows(made, "SELECT count(*) > 0 FROM influence") == [(True,)]
    with RunReader(made) as reader:
        assert reader.meta["schema_version"] == "5"


def test_nothing_is_written_if_it_is_interrupted(plain, tmp_path, monkeypatch):
    def interrupted(step):
        raise KeyboardInterrupt

    shutil.copy(plain, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        compute_influence(tmp_path, plain.stem, InfluenceConfig(), interrupted, lambda line: None)
    with RunWriter(tmp_path, plain.stem) as writer:
        assert writer.query("FROM influence").empty and "influence" not in writer.meta()
