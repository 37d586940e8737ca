"""A newly registered engine can make a complete run."""

import numpy as np
import pytest

from odd.errors import OddError
from odd.models.registry import ENGINES, load_model
from odd.pipeline.worker import run
from tests.models.bigram_engine import Bigrams, load
from tests.runs import rows, small_config


def model(name):
    return {"name": name, "engine": "bigrams"}


@pytest.fixture(scope="module", autouse=True)
def registered():
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(ENGINES, "bigrams", "tests.models.bigram_engine")
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    questions = folder / "two.jsonl"
    questions.write_text('{"id": "two", "question": "What is 1+1?", "answer": "2", "kind": "number"}\n')
    teachers = [{"name": "other", "model": model("b")}, {"name": "Self-check"}]
    asked = {"source": str(questions)}
    return small_config(folder, student=model("a"), teachers=teachers, questions=asked)


@pytest.fixture(scope="module")
def made(config):
    return run(config, lambda step: None)


def test_it_makes_a_complete_run(made):
    assert rows(made, "SELECT DISTINCT stage FROM questions") == [("scored",)]
    assert {teacher for (teacher,) in rows(made, "SELECT DISTINCT teacher FROM scores")} == {"other", "Self-check"}


def test_log_probabilities_are_those_of_the_engine(made, config):
    scorer = load(config.student, config.cache).scorer
    assert isinstance(scorer, Bigrams)
    for tokens, log_probs, launch in rows(made, "SELECT token_ids, log_probs, launch FROM rollouts"):
        if launch == 0:
            expected = scorer.token_log_probs([1 + ord(" ") - 32], [tokens], [1.0])[0][0]
            np.testing.assert_allclose(log_probs, expected, atol=1e-5)


def test_the_student_as_its_own_teacher_agrees_with_itself(made):
    (largest,) = rows(made, "SELECT max(abs(kl_student_teacher)) FROM node_teachers WHERE teacher = 'Self-check'")[0]
    assert largest < 1e-6


def test_an_engine_that_is_not_registered_is_named(config, monkeypatch):
    monkeypatch.delitem(ENGINES, "bigrams")
    with pytest.raises(OddError, match="there is no engine 'bigrams'; choose transformers"):
        load_model(config.student, config.cache)
