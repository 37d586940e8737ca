"""Student and teachers read all rollouts exactly once if minillm needs it, and otherwise never."""

import shutil

import numpy as np
import pytest

from odd.config import AnalysisConfig, TeacherConfig, objective
from odd.pipeline import reading
from odd.pipeline.reading import reading_chunks
from odd.pipeline.worker import add_teachers, run
from odd.rollouts.sampling import Rollout
from tests.models.bigram_engine import Bigrams
from tests.runs import assert_same_results, quick_config, rows

pytestmark = pytest.mark.checked_shapes

OBJECTIVES = (objective("reverse_kl"), objective("minillm"), objective("minillm", temperature=2))
TEACHERS = [{"name": "Self-1C", "context": "1c"}, {"name": "Self-check"}]
ROLLOUTS = "SELECT count(*) FROM rollouts"
READ = "SELECT * FROM rollout_log_probs ORDER BY question, teacher NULLS FIRST, temperature, rollout"


class Stop(Exception):
    """Simulates the death of a worker."""


def asking(folder):
    analysis = AnalysisConfig(objectives=OBJECTIVES, n_sig=4, posterior_draws=50, baselines=("full",), rests=("off",))
    targeting = {"n_min": 8, "n_gradient": 2, "n_difference": 1, "correct_paths": 1, "incorrect_paths": 1}
    sampling = {"initial_rollouts": 24, "max_new_tokens": 40, "batch_size": 16}
    changes = {"analysis": analysis.model_dump(mode="json"), "teachers": TEACHERS}
    config = quick_config(folder, sampling=sampling, targeting=targeting, **changes)
    return config.model_copy(update={"questions": config.questions.model_copy(update={"limit": 1})})


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A finished run whose rollouts were read, its config, and all its steps."""
    steps = []
    config = asking(tmp_path_factory.mktemp("read"))
    return config, run(config, steps.append), steps


@pytest.fixture
def counted(monkeypatch):
    """Counts the rollouts that models read."""
    tokens, original = [], Bigrams.token_log_probs

    def count(self, prefix, continuations, temperatures):
        tokens.extend(continuations)
        return original(self, prefix, continuations, temperatures)

    monkeypatch.setattr(Bigrams, "token_log_probs", count)
    return tokens


def test_all_models_read_every_rollout_at_every_loss_temperature(read):
    (size,) = rows(read[1], ROLLOUTS)
    sql = "SELECT count(DISTINCT rollout), count(*) FROM rollout_log_probs GROUP BY teacher, temperature"
    assert rows(read[1], sql) == [size * 2] * 3 * 2


def test_stored_readings_equal_those_of_the_scorer(read):
    config, path, _ = read
    model = _student(config)
    prompts = dict(rows(path, "SELECT question, prompt_ids FROM questions"))
    sql = (
        "SELECT r.question, r.launch, r.token_ids, l.temperature, l.log_probs FROM rollouts AS r "
        "JOIN rollout_log_probs AS l USING (question, rollout) WHERE l.teacher IS NULL AND r.rollout % 7 = 5"
    )
    checked = rows(path, sql)
    assert {launch > 0 for _, launch, *_ in checked} == {True, False}
    for question, launch, tokens, temperature, log_probs in checked:
        scored = model.scorer.log_probs(prompts[question], tokens, temperature)[np.arange(len(tokens)), tokens]
        assert log_probs[:launch] == [None] * launch
        np.testing.assert_allclose(log_probs[launch:], scored[launch:], atol=1e-4)


def _student(config):
    from odd.models.registry import load_model

    return load_model(config.student, config.cache)


def test_self_check_has_no_alignment_under_minillm_and_others_have(read):
    sql = "SELECT teacher, count(*), count(alignment) FROM scores WHERE objective LIKE 'minillm%' GROUP BY ALL"
    counts = {teacher: (number, aligned) for teacher, number, aligned in rows(read[1], sql)}
    assert counts["Self-check"][0] > 0 and counts["Self-check"][1] == 0
    assert counts["Self-1C"][1] > 0


def test_progress_counts_readers_times_rollouts(read):
    steps = [step for step in read[2] if step.stage == "read"]
    (size,) = rows(read[1], ROLLOUTS)
    assert steps[-1].done == steps[-1].total == 3 * size[0]
    assert steps[-1].tokens > 0 and steps[-1].seconds > 0
    timed = rows(read[1], "SELECT teacher, sum(tokens) FROM timings WHERE stage = 'read' GROUP BY teacher")
    assert len(timed) == 3 and len({tokens for _, tokens in timed}) == 1


def test_an_interrupted_reading_continues_where_it_stopped(read, tmp_path, counted, monkeypatch):
    monkeypatch.setattr(reading, "KEEP_EVERY", 0.0)

    def die(step):
        if step.stage == "read" and step.done > step.total // 2:
            raise Stop

    config = asking(tmp_path)
    with pytest.raises(Stop):
        run(config, die)
    before = len(counted)
    path = run(config, lambda step: None)
    assert repr(rows(path, READ)) == repr(rows(read[1], READ))
    assert_same_results(path, read[1])
    assert before > 0
    assert len(counted) == 3 * rows(path, ROLLOUTS)[0][0]


def test_a_teacher_added_later_reads_alone_and_scores_the_same(read, tmp_path, counted):
    shutil.copy(read[1], tmp_path)
    path = add_teachers(tmp_path, read[1].stem, [TeacherConfig(name="Late", context="1c")], lambda step: None)
    assert len(counted) == rows(path, ROLLOUTS)[0][0]
    scores = "SELECT * EXCLUDE teacher FROM scores WHERE teacher = '{}' ORDER BY question, node, objective, convention"
    late, first = (rows(path, scores.format(name)) for name in ("Late", "Self-1C"))
    assert len(late) > 0 and repr(late) == repr(first)


def test_another_discount_reads_nothing_again(read, tmp_path, counted):
    config, path, _ = read
    shutil.copy(path, tmp_path)
    objectives = (objective("minillm", gamma=0.5),)
    analysis = config.analysis.model_copy(update={"objectives": objectives})
    again = run(config.model_copy(update={"cache": tmp_path, "analysis": analysis}), lambda step: None, rescore=True)
    assert not counted
    assert rows(again, "SELECT DISTINCT objective FROM scores") == [("minillm_0.5",)]


def test_a_run_without_minillm_reads_nothing(quick):
    assert rows(quick[1], "SELECT count(*) FROM rollout_log_probs") == [(0,)]
    assert rows(quick[1], "SELECT count(*) FROM timings WHERE stage = 'read'") == [(0,)]


def test_readings_of_a_teacher_are_dropped_when_its_name_changes_meaning(read, tmp_path):
    def die(step):
        if step.stage == "read" and step.done == step.total:
            raise Stop

    with pytest.raises(Stop):
        run(asking(tmp_path), die)
    other = [{"name": "Self-1C", "context": "1c1w"}, TEACHERS[1]]
    config = asking(tmp_path)
    changed = config.model_copy(update={"teachers": tuple(TeacherConfig.model_validate(t) for t in other)})
    path = run(changed, lambda step: None)
    mean = "SELECT avg(list_sum(log_probs)) FROM rollout_log_probs WHERE question = 0 AND teacher = 'Self-1C'"
    assert rows(path, mean) != rows(read[1], mean)


def test_rollouts_of_one_prefix_are_read_together():
    def rollout(tokens, launch):
        return Rollout("initial", 0, launch, np.array(tokens, np.int32), np.zeros(len(tokens)), "", None, False, False)

    rollouts = [rollout((1, 2), 0), rollout((1, 3, 4), 2), rollout((5,), 0), rollout((1, 3, 9), 2), rollout((7,), 0)]
    assert reading_chunks(rollouts, 2) == [[0, 2], [4], [1, 3]]
