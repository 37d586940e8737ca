import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import odd.models.transformers.language_model
from odd.config import TeacherConfig, fingerprint, parse_config
from odd.errors import OddError
from odd.pipeline.teachers import Models
from odd.pipeline.worker import add_teachers, run
from odd.questions.sources import load_questions
from tests.models.bigram_engine import Bigrams
from tests.runs import ROLLOUTS, SCORES, assert_same_results, bigrams, change, quick_config, rows, small_config

pytestmark = pytest.mark.checked_shapes


class Stop(Exception):
    """Simulates the death of a worker."""


def test_same_config_and_seed_give_same_rollouts_and_scores(finished, tmp_path):
    again = run(small_config(tmp_path), lambda step: None)
    assert_same_results(finished[1], again)


def test_another_seed_gives_other_rollouts(quick, tmp_path):
    sampling = {"initial_rollouts": 48, "max_new_tokens": 48, "batch_size": 24, "seed": 1}
    other = run(quick_config(tmp_path, sampling=sampling), lambda step: None)
    assert repr(rows(quick[1], ROLLOUTS)) != repr(rows(other, ROLLOUTS))


@pytest.mark.parametrize("after", [1, 3, 6, 9])
def test_resumed_run_equals_uninterrupted_run(quick, tmp_path, after):
    seen = []

    def die(step):
        seen.append(step)
        if len(seen) == after:
            raise Stop

    config = quick_config(tmp_path)
    with pytest.raises(Stop):
        run(config, die)
    assert_same_results(quick[1], run(config, lambda step: None))


def test_stopped_run_reports_it_and_continues(quick, tmp_path):
    def stop(step):
        if step.stage == "targeted" and step.done:
            raise KeyboardInterrupt

    config = quick_config(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(config, stop)
    published = config.cache / quick[1].name
    assert rows(published, "SELECT value FROM meta WHERE key = 'status'") == [("stopped",)]
    assert rows(published, "SELECT count(*) > 0 FROM rollouts WHERE stage = 'targeted'") == [(True,)]
    assert rows(run(config, lambda step: None), "SELECT value FROM meta WHERE key = 'status'") == [("finished",)]


def test_finished_run_is_not_sampled_again(quick, monkeypatch):
    monkeypatch.setattr(Bigrams, "sample", _refuse)
    config, path = quick
    before = rows(path, ROLLOUTS)
    run(config, lambda step: None)
    assert repr(rows(path, ROLLOUTS)) == repr(before)


def _refuse(*_, **__):
    raise AssertionError("sampled")


@pytest.fixture
def copied(quick, tmp_path):
    config, path = quick
    shutil.copy(path, tmp_path / path.name)
    return config.model_copy(update={"cache": tmp_path}), path.stem


def test_teacher_added_later_samples_nothing_and_scores_as_if_present_from_the_start(copied, monkeypatch):
    config, run_id = copied
    monkeypatch.setattr(Bigrams, "sample", _refuse)
    path = add_teachers(config.cache, run_id, [TeacherConfig(name="Late", context="1c")], lambda step: None)
    late, first = (
        rows(path, SCORES.replace("FROM scores", f"FROM scores WHERE teacher = '{name}'"))
        for name in ("Late", "Self-1C")
    )
    assert len(late) > 0
    assert repr([row[:2] + row[3:] for row in late]) == repr([row[:2] + row[3:] for row in first])


def test_adding_a_teacher_leaves_the_other_scores_alone(copied, quick):
    config, run_id = copied
    path = add_teachers(config.cache, run_id, [TeacherConfig(name="Late", context="1c")], lambda step: None)
    others = SCORES.replace("FROM scores", "FROM scores WHERE teacher <> 'Late'")
    assert repr(rows(path, others)) == repr(rows(quick[1], SCORES))


def test_a_teacher_name_cannot_change_its_meaning(copied):
    config, run_id = copied
    with pytest.raises(OddError, match="other settings"):
        add_teachers(config.cache, run_id, [TeacherConfig(name="Self-1C", context="1c1w")], lambda step: None)


def test_changed_analysis_rescores_without_sampling(copied, monkeypatch):
    config, _ = copied
    monkeypatch.setattr(Bigrams, "sample", _refuse)
    analysis = config.analysis.model_copy(update={"n_sig": 12})
    path = run(config.model_copy(update={"analysis": analysis}), lambda step: None, rescore=True)
    smallest = rows(
        path,
        "SELECT min(b.visits) FROM components c, branches b WHERE b.question = c.question AND b.parent = c.node "
        "AND list_contains(c.tokens, b.token) AND c.convention = 'on_policy-full-off' AND b.pooling = 'on_policy'",
    )
    assert smallest[0][0] >= 12


def test_scores_with_other_analysis_settings_are_only_replaced_when_asked(copied):
    config, run_id = copied
    before = rows(config.cache / f"{run_id}.duckdb", SCORES)
    analysis = config.analysis.model_copy(update={"n_sig": 12})
    with pytest.raises(OddError, match=r"analysis\.n_sig.*--rescore"):
        run(config.model_copy(update={"analysis": analysis}), lambda step: None)
    assert repr(rows(config.cache / f"{run_id}.duckdb", SCORES)) == repr(before)


def test_other_guides_make_another_run(copied):
    config, run_id = copied
    path = run(config.model_copy(update={"teachers": config.teachers[1:]}), lambda step: None)
    assert path.stem != run_id
    assert rows(path, "SELECT count(*) FROM teachers")[0][0] == len(config.teachers) - 1


def test_settings_of_a_run_with_an_added_teacher_continue_that_run(copied, monkeypatch):
    config, run_id = copied
    monkeypatch.setattr(Bigrams, "sample", _refuse)
    path = add_teachers(config.cache, run_id, [TeacherConfig(name="Late", context="1c")], lambda step: None)
    stored = parse_config(json.loads(rows(path, "SELECT value FROM meta WHERE key = 'config'")[0][0]))
    assert stored.targeting.guides == tuple(teacher.name for teacher in config.teachers)
    again = {"cache": config.cache, "questions": config.questions}  # a run file does not name folders
    assert run(stored.model_copy(update=again), lambda step: None) == path


def test_a_run_from_before_guides_were_in_the_id_keeps_its_id(copied):
    config, run_id = copied
    questions = load_questions(config.questions)
    described = [question.model_dump(mode="json", exclude={"solution", "hint"}) for question in questions]
    digest = Models(config, config.cache).student.digest
    earlier = f"{config.title}-{fingerprint(config, described, digest, with_guides=False)}"
    path = config.cache / f"{run_id}.duckdb"
    change(path, f"UPDATE meta SET value = '{earlier}' WHERE key = 'run_id'")
    path.rename(config.cache / f"{earlier}.duckdb")
    assert run(config, lambda step: None).stem == earlier
    others = config.model_copy(update={"teachers": config.teachers[1:]})
    assert run(others, lambda step: None).stem not in (earlier, run_id)


def test_a_folder_with_the_students_weights_pushes_nowhere_at_any_temperature(tmp_path):
    sampling = {"initial_rollouts": 24, "max_new_tokens": 24, "batch_size": 24, "temperature": 0.7}
    teachers = [{"name": "same", "model": bigrams("c")}, {"name": "plain", "model": bigrams("c"), "temperature": 1.0}]
    path = run(quick_config(tmp_path, sampling=sampling, teachers=teachers), lambda step: None)
    scored = "SELECT teacher, count(alignment) FROM scores WHERE objective = 'reverse_kl' GROUP BY teacher"
    counts = dict(rows(path, scored))
    assert counts["same"] == 0 < counts["plain"]


def test_self_check_has_no_gradient_and_no_alignment(quick):
    exact = "teacher = 'Self-check' AND objective NOT IN ('dr_grpo', 'sampled_reverse_kl')"
    scored = rows(quick[1], f"SELECT count(*), count(alignment), count(low), count(gain) FROM scores WHERE {exact}")
    largest = rows(
        quick[1],
        f"SELECT max(list_max(list_transform(teacher_gradient, lambda x: abs(x)))) FROM gradients WHERE {exact}",
    )
    assert scored[0][0] > 0
    assert scored[0][1:] == (0, 0, 0)
    assert largest[0][0] < 1e-6


def test_other_teachers_have_alignment(quick):
    counts = dict(
        rows(quick[1], "SELECT teacher, count(alignment) FROM scores WHERE objective = 'reverse_kl' GROUP BY teacher")
    )
    assert all(counts[name] > 0 for name in ("other", "Self-1C", "Self-1C1W"))


def test_every_pair_reaches_its_visits(quick):
    short = rows(
        quick[1],
        "SELECT count(*) FROM pairs p JOIN path_tokens t USING (question, path, position) "
        "JOIN branches b ON b.question = p.question AND b.parent = t.node AND b.token = p.token "
        "WHERE b.pooling = 'on_policy' AND b.visits < 12",
    )
    assert short == [(0,)]


def test_targeted_rollouts_start_with_their_pair(quick):
    path = quick[1]
    launched = rows(path, "SELECT question, sum(launched) FROM pairs GROUP BY question ORDER BY question")
    drawn = rows(
        path, "SELECT question, count(*) FROM rollouts WHERE stage = 'targeted' GROUP BY question ORDER BY question"
    )
    assert launched == drawn
    assert rows(path, "SELECT count(*) FROM rollouts WHERE stage = 'targeted' AND launch = 0") == [(0,)]


def test_question_without_correct_rollout_is_kept_and_marked(quick):
    found = rows(quick[1], "SELECT stage, difficulty, note FROM questions WHERE id = 'impossible'")
    assert found == [("scored", "never", "no correct rollout among 48: excluded")]
    reasons = rows(quick[1], "SELECT count(*) FROM contexts WHERE question = 2 AND NOT available")
    assert reasons == [(4,)]


def test_all_truncated_is_reported(tmp_path):
    sampling = {"initial_rollouts": 8, "max_new_tokens": 2, "batch_size": 8}
    path = run(small_config(tmp_path, sampling=sampling), lambda step: None)
    notes = rows(path, "SELECT DISTINCT note FROM questions")
    assert notes == [("all 8 rollouts truncated: raise sampling.max_new_tokens",)]


def test_question_without_incorrect_rollout_is_marked_and_scored(tmp_path, monkeypatch):
    monkeypatch.setattr("odd.rollouts.sampling.is_correct", lambda question, answer: True)
    monkeypatch.setattr("odd.rollouts.sampling.read_answer", lambda question, text, *_: text)
    sample = Bigrams.sample
    monkeypatch.setattr(
        Bigrams,
        "sample",
        lambda *args, **kw: [replace(made, truncated=False) for made in sample(*args, **kw)],
    )
    path = run(quick_config(tmp_path), lambda step: None)
    assert rows(path, "SELECT DISTINCT note FROM questions") == [("no incorrect rollout",)]
    reasons = rows(path, "SELECT DISTINCT reason FROM contexts WHERE teacher = 'Self-1C1W'")
    assert reasons == [("no wrong response among 60 tries of c [bigrams]",)]


def test_demonstrations_are_of_the_promised_outcome(quick):
    shown = pd.DataFrame(
        rows(quick[1], "SELECT teacher, demonstrations FROM contexts WHERE available"), columns=["teacher", "shown"]
    )
    outcomes = shown.assign(
        shown=shown["shown"].map(lambda text: tuple(d["correct"] for d in __import__("json").loads(text)))
    )
    expected = {"other": (), "Self-1C": (True,), "Self-1C1W": (True, False), "Self-check": ()}
    assert set(map(tuple, outcomes.to_numpy().tolist())) == set(expected.items())


def test_stored_student_log_probabilities_are_those_it_was_sampled_with(finished):
    """On a path, the log-probability at sampling equals the scored one of the same edge."""
    pairs = rows(
        finished[1],
        "SELECT r.log_probs[t.position + 1], n.log_p FROM path_tokens t JOIN paths p USING (question, path) "
        "JOIN rollouts r USING (question, rollout) JOIN nodes n ON n.question = t.question AND n.node = t.child",
    )
    sampled, scored = np.array(pairs, dtype=float).T
    np.testing.assert_allclose(sampled, scored, atol=1e-4)


def test_adding_a_teacher_stores_no_children_twice(copied, quick):
    config, run_id = copied
    path = add_teachers(config.cache, run_id, [TeacherConfig(name="Late", context="1c")], lambda step: None)
    components = "SELECT * FROM components ORDER BY question, node, convention"
    assert repr(rows(path, components)) == repr(rows(quick[1], components))


def test_the_first_teacher_of_a_run_without_any_brings_the_children_along(tmp_path, quick):
    path = run(quick_config(tmp_path, teachers=[]), lambda step: None)
    assert rows(path, "SELECT count(*) FROM components") == [(0,)]
    path = add_teachers(path.parent, path.stem, [TeacherConfig(name="Late", context="1c")], lambda step: None)
    assert rows(path, "SELECT count(*) FROM components")[0] > (0,)


def test_adding_a_teacher_can_be_repeated_after_a_kill(copied):
    config, run_id = copied
    late = [TeacherConfig(name="Late", context="1c")]

    def die(step):
        if step.stage == "score":
            raise Stop

    with pytest.raises(Stop):
        add_teachers(config.cache, run_id, late, die)
    path = add_teachers(config.cache, run_id, late, lambda step: None)
    scored = rows(path, "SELECT count(DISTINCT question) FROM scores WHERE teacher = 'Late'")
    assert scored == rows(path, "SELECT count(DISTINCT question) FROM scores WHERE teacher = 'Self-1C'")


def test_adding_to_an_unknown_run_leaves_no_trace(tmp_path):
    with pytest.raises(OddError, match="is not in"):
        add_teachers(tmp_path, "small-00000000", [TeacherConfig(name="Late")], lambda step: None)
    assert not list(tmp_path.iterdir())


def test_a_teacher_that_never_scored_can_be_corrected(tmp_path, monkeypatch):
    """A teacher without a context row was a mistake, so the next command's settings count."""
    broken = quick_config(tmp_path)
    log_probs = Bigrams.read

    def fail(self, *args, **kw):
        if self.name == "b":
            raise OddError("no numbers")
        return log_probs(self, *args, **kw)

    with monkeypatch.context() as patched, pytest.raises(OddError, match="no numbers"):
        patched.setattr(Bigrams, "read", fail)
        run(broken, lambda step: None)
    mended = [{"name": "other", "context": "1c"}]
    path = run(quick_config(tmp_path, teachers=mended), lambda step: None)
    assert rows(path, "SELECT teacher, context FROM teachers") == [("other", "1c")]


def test_a_student_with_other_weights_makes_another_run(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(odd.models.transformers.language_model, "model_digest", lambda model, tokenizer: "another")
    assert run(small_config(tmp_path), lambda step: None).stem != finished[1].stem


def test_a_teacher_with_other_weights_is_refused(finished, tmp_path, monkeypatch):
    digest = odd.models.transformers.language_model.model_digest
    monkeypatch.setattr(
        odd.models.transformers.language_model, "model_digest", lambda m, t: "x" if _is_m(m) else digest(m, t)
    )
    config, path = finished
    shutil.copy(path, tmp_path)
    with pytest.raises(OddError, match="has changed since"):
        run(config.model_copy(update={"cache": tmp_path}), lambda step: None)


def _is_m(model):
    return "tiny-m" in model.name_or_path


def test_question_that_does_not_fit_is_refused_before_sampling(tmp_path, monkeypatch):
    monkeypatch.setattr("odd.models.transformers.engine.TransformersEngine.sample", _refuse)
    sampling = {"initial_rollouts": 8, "max_new_tokens": 2000, "batch_size": 8}
    with pytest.raises(OddError, match="do not fit"):
        run(small_config(tmp_path, sampling=sampling), lambda step: None)


def test_fewer_paths_than_wanted_are_reported(tmp_path):
    targeting = {"n_min": 12, "n_gradient": 1, "n_difference": 0, "correct_paths": 60, "incorrect_paths": 1}
    path = run(quick_config(tmp_path, targeting=targeting), lambda step: None)
    notes = [note for (note,) in rows(path, "SELECT note FROM questions WHERE id <> 'impossible'")]
    assert all("of 60 correct paths" in note for note in notes)
