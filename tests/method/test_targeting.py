"""Choice of pairs: candidates above tau, best first, window by window, without repeats."""

import numpy as np
import pytest

from odd.method.objectives.reverse_kl import reverse_kl
from odd.method.sparse_rows import read_rows
from odd.method.targeting import candidates, choose_pairs

T, V, TAU = 12, 8, 0.05
WINDOWS = [(0, 4), (4, 12)]


def random_log_probs(seed):
    logits = np.random.default_rng(seed).normal(0, 2, (T, V))
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


@pytest.fixture
def student():
    return random_log_probs(0)


@pytest.fixture
def teachers():
    return {"a": random_log_probs(1), "b": random_log_probs(2)}


def rows_of(student, teachers):
    return [
        read_rows(
            log_p, np.array([rows[t] for rows in teachers.values()]).reshape(-1, len(log_p)), np.arange(len(log_p))
        )
        for t, log_p in enumerate(student)
    ]


def find(student, teachers, tau):
    return candidates(rows_of(student, teachers), range(len(teachers)), tau)


def choose(student, teachers, *budget):
    return choose_pairs(rows_of(student, teachers), {name: i for i, name in enumerate(teachers)}, *budget)


def test_candidates_are_the_pairs_above_tau_for_student_or_any_teacher(student, teachers):
    found = find(student, teachers, TAU)
    likely = np.exp(np.stack([student, *teachers.values()])).max(axis=0) > TAU
    assert list(zip(found.positions, found.tokens, strict=True)) == list(zip(*np.nonzero(likely), strict=True))


def test_scores_are_the_gradient_and_the_difference(student, teachers):
    found = find(student, teachers, TAU)
    where = found.positions, found.tokens
    np.testing.assert_allclose(found.gradient[1], np.abs(reverse_kl(student, teachers["b"]))[where])
    np.testing.assert_allclose(found.difference[0], np.abs(np.exp(teachers["a"]) - np.exp(student))[where])


def test_each_window_gives_its_best_pairs_without_repeats(student, teachers):
    pairs = choose(student, teachers, WINDOWS, TAU, 3, 2)
    places = [(pair.position, pair.token) for pair in pairs]
    assert len(set(places)) == len(places) == 10
    found = find(student, teachers, TAU)
    scores = dict(zip(zip(found.positions, found.tokens, strict=True), found.gradient.max(0), strict=True))
    for window, (first, last) in enumerate(WINDOWS):
        best = sorted((v for (t, _), v in scores.items() if first <= t < last), reverse=True)[:3]
        chosen = [pair.value for pair in pairs if pair.window == window and pair.criterion == "gradient"]
        assert chosen == best


def test_difference_pairs_are_the_best_of_those_not_chosen_before(student, teachers):
    pairs = choose(student, teachers, [(0, T)], TAU, 3, 2)
    taken = {(pair.position, pair.token) for pair in pairs if pair.criterion == "gradient"}
    found = find(student, teachers, TAU)
    places = zip(found.positions, found.tokens, found.difference.max(0), strict=True)
    best = sorted((v for t, k, v in places if (t, k) not in taken), reverse=True)[:2]
    assert [pair.value for pair in pairs if pair.criterion == "difference"] == best


def test_the_teacher_named_is_the_one_that_scores_highest(student, teachers):
    for pair in choose(student, teachers, WINDOWS, TAU, 3, 0):
        rows = {name: reverse_kl(student[pair.position], log_q[pair.position]) for name, log_q in teachers.items()}
        assert pair.teacher == max(rows, key=lambda name: abs(rows[name][pair.token]))


def test_without_teachers_the_least_certain_tokens_are_chosen(student):
    pairs = choose(student, {}, [(0, T)], TAU, 3, 2)
    p = np.exp(student[[pair.position for pair in pairs], [pair.token for pair in pairs]])
    every = np.exp(student[student > np.log(TAU)])
    np.testing.assert_allclose(p * (1 - p), np.sort(-every * (1 - every))[:5] * -1)
    assert {(pair.criterion, pair.teacher) for pair in pairs} == {("uncertainty", None)}


def test_ties_are_broken_by_position_and_token():
    even = np.log(np.full((3, 4), 0.25))
    pairs = choose(even, {"same": even}, [(0, 3)], TAU, 5, 0)
    assert [(pair.position, pair.token) for pair in pairs] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]


def test_a_token_not_reported_by_the_teacher_gets_no_score(student, teachers):
    hidden = teachers["a"].copy()
    hidden[:, 3] = -np.inf
    found = find(student, {"a": hidden}, TAU)
    assert (found.gradient[0, found.tokens == 3] == 0).all() and (found.difference[0, found.tokens == 3] == 0).all()
