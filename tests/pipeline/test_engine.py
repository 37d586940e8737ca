"""A newly registered engine (in `tests/runs.py`) can make a complete run."""

import numpy as np
import pytest

from odd.errors import OddError
from odd.models.registry import ENGINES, load_model
from tests.models.bigram_engine import Bigrams, load
from tests.runs import rows


@pytest.fixture
def config(quick):
    return quick[0]


@pytest.fixture
def made(quick):
    return quick[1]


def test_it_makes_a_complete_run(made, config):
    assert rows(made, "SELECT DISTINCT stage FROM questions") == [("scored",)]
    assert {teacher for (teacher,) in rows(made, "SELECT DISTINCT teacher FROM scores")} == {
        teacher.name for teacher in config.teachers
    }


def test_log_probabilities_are_those_of_the_engine(made, config):
    scorer = load(config.student, config.cache).scorer
    assert isinstance(scorer, Bigrams)
    sql = "SELECT prompt_ids, token_ids, log_probs, launch FROM rollouts JOIN questions USING (question)"
    for prompt, tokens, log_probs, launch in rows(made, sql):
        if launch == 0:
            expected = scorer.token_log_probs(prompt, [tokens], [1.0])[0][0]
            np.testing.assert_allclose(log_probs, expected, atol=1e-5)


def test_the_student_as_its_own_teacher_agrees_with_itself(made):
    (largest,) = rows(made, "SELECT max(abs(kl_student_teacher)) FROM node_teachers WHERE teacher = 'Self-check'")[0]
    assert largest < 1e-6


def test_an_engine_that_is_not_registered_is_named(config, monkeypatch):
    monkeypatch.delitem(ENGINES, "bigrams")
    with pytest.raises(OddError, match="there is no engine 'bigrams'; choose transformers, server"):
        load_model(config.student, config.cache)
