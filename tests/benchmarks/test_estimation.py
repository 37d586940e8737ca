"""Estimators and allocations on a synthetic question with known truth."""

import numpy as np
import pytest

from benchmarks.allocation import FLOOR, Adaptive, uniform
from benchmarks.estimation import METHODS, PAPER, Question, measured, ratio, tables
from benchmarks.estimators import Estimate, Estimator, Knowledge, Shape
from benchmarks.ground_truth import Bank, load, save

ROLLOUTS = 3000
P = np.array([1.0, 0.6, 0.4, 0.7, 0.2])
SUCCESS = {2: 0.3, 3: 0.9, 4: 0.1, "other": 0.5}
BACKED_UP = 0.7 * 0.9 + 0.2 * 0.1 + 0.1 * 0.5
"""Success of edge 1, whose children are edges 3 and 4."""


def launched(edge, rng):
    """Draw a rollout from an edge; return its deepest edge and its outcome."""
    if edge == 0:
        edge = int(rng.choice([1, 2], p=[0.6, 0.4]))
    if edge == 1:
        edge = int(rng.choice([3, 4, 1], p=[0.7, 0.2, 0.1]))
    return edge, rng.random() < SUCCESS.get(edge, SUCCESS["other"])


@pytest.fixture(scope="module")
def bank():
    rng = np.random.default_rng(0)
    drawn = [[launched(edge, rng) for _ in range(ROLLOUTS)] for edge in range(5)]
    return Bank(
        parent=np.array([-1, 0, 0, 1, 1]),
        length=np.array([0, 1, 1, 2, 2]),
        node=np.array([-1, 0, 0, 1, 1]),
        p=P,
        teachers=np.array([[0.0, 0.2, -0.1, 0.3, -0.3]]),
        deepest=np.array([[one[0] for one in row] for row in drawn]),
        correct=np.array([[one[1] for one in row] for row in drawn]),
        tokens=np.full((5, ROLLOUTS), 10),
        success=np.array([0.6 * BACKED_UP + 0.4 * 0.3, BACKED_UP, 0.3, 0.9, 0.1]),
        error=np.zeros(5),
    )


@pytest.fixture
def known(bank):
    return Knowledge(bank, Shape(bank), np.random.default_rng(1))


@pytest.mark.parametrize("rule", ["on_policy", "pooled"])
def test_tallies_are_those_of_counting_one_by_one(bank, known, rule):
    above = {0: {0}, 1: {0, 1}, 2: {0, 2}, 3: {0, 1, 3}, 4: {0, 1, 4}}
    successes, visits = np.zeros((2, 5))
    for edge, count in ((0, 40), (1, 7), (3, 11), (4, 5)):
        known.draw(edge, count)
        for at in known.order[edge, :count]:
            passed = above[int(bank.deepest[edge, at])]
            counted = passed if rule == "pooled" else passed - (above[edge] - {edge})
            visits[list(counted)] += 1
            successes[list(counted)] += bank.correct[edge, at]
    np.testing.assert_array_equal(known.tallies(rule), [successes, visits])


def test_a_backed_up_edge_has_the_success_of_its_children(known):
    for edge in range(5):
        known.draw(edge, ROLLOUTS)
    assert known.means("stratified")[1] == pytest.approx(BACKED_UP, abs=0.02)


def test_pooling_drags_an_edge_towards_what_was_forced_below_it_and_counting_on_policy_does_not(known):
    known.draw(0, 500)
    known.draw(4, 2500)
    assert known.means("pooled")[1] < BACKED_UP - 0.3
    assert known.means("on_policy")[1] == pytest.approx(BACKED_UP, abs=0.12)


def test_without_initial_rollouts_targeted_ones_alone_count(known):
    known.draw(0, 100)
    known.draw(2, 30)
    assert known.tallies("on_policy", initial=False)[1].tolist() == [0, 0, 30, 0, 0]


def test_siblings_that_share_their_uniform_numbers_take_the_same_rollouts(bank):
    known = Knowledge(bank, Shape(bank), np.random.default_rng(1), common=True)
    assert (known.order[1] == known.order[2]).all()
    assert (known.order[1] != known.order[3]).any()


def test_drawing_more_rollouts_than_stored_is_an_error(known):
    with pytest.raises(ValueError, match="only 3000 rollouts"):
        known.draw(1, ROLLOUTS + 1)


def test_uniform_brings_every_edge_to_its_visits(known):
    known.draw(0, 200)
    uniform(known, 100)
    assert (known.tallies("on_policy")[1][1:] >= 100).all()
    assert known.tokens == known.used[1:].sum() * 10


def test_adaptive_keeps_to_its_budget_and_skips_certain_edges(bank):
    sure = Bank(**(vars(bank) | {"correct": np.where(np.arange(5)[:, None] == 2, True, bank.correct)}))
    known = Knowledge(sure, Shape(sure), np.random.default_rng(1))
    known.draw(0, 20)
    Adaptive("gain").spend(known, 8000)
    assert 8000 <= known.tokens < 8000 + 10 * 40
    assert FLOOR <= known.tallies("on_policy")[1][2] < known.tallies("on_policy")[1][3]


def test_an_edge_counts_for_those_above_it_only_where_success_is_backed_up(known):
    known.draw(0, 100)
    uniform(known, 50)
    with_backup, _ = Adaptive("gain").worth(known)
    without, _ = Adaptive("gain", "on_policy").worth(known)
    assert with_backup[3] > without[3]
    assert with_backup[1] < without[1]


@pytest.mark.parametrize("leave", ["normal", "posterior"])
def test_nodes_with_settled_signs_are_skipped(known, leave):
    known.draw(0, 500)
    uniform(known, 1000)
    assert Adaptive("gain").worth(known)[0].any()
    assert not Adaptive("gain", leave=leave).worth(known)[0].any()


def test_an_open_sign_draws_rollouts_and_a_settled_one_hardly_any(bank):
    doubted = Bank(**(vars(bank) | {"teachers": np.array([[0.0, 0.2, -0.1, 0.0, -1e-9]])}))
    worth = []
    for one in (bank, doubted):
        known = Knowledge(one, Shape(one), np.random.default_rng(1))
        known.draw(0, 500)
        uniform(known, 1000)
        worth.append(Adaptive("sign", "on_policy").worth(known)[0])
    assert worth[0][2] > 0 and worth[0][3] / worth[0][2] < 100
    assert (worth[0][1:] > 0).all()


def test_two_draws_that_disagree_choose_a_node(known):
    known.draw(0, 500)
    uniform(known, 1000)
    sure = Adaptive("top_two", "on_policy").worth(known)[0]
    everywhere = Adaptive("gain", "on_policy").worth(known)[0]
    assert (sure[1:] < 1e-5 * everywhere[1:]).all() and (sure[1:] > 0).all()


def test_uniform_continues_from_budget_to_budget(bank):
    at_once, in_steps = (Knowledge(bank, Shape(bank), np.random.default_rng(1)) for _ in range(2))
    for known, steps in ((at_once, [90]), (in_steps, [10, 40, 90])):
        known.draw(0, 100)
        for visits in steps:
            uniform(known, visits)
    np.testing.assert_array_equal(at_once.counts, in_steps.counts)


def test_a_closed_interval_reaches_0_without_a_success(bank):
    never = Bank(**(vars(bank) | {"correct": np.zeros_like(bank.correct)}))
    known = Knowledge(never, Shape(never), np.random.default_rng(1))
    for edge in range(5):
        known.draw(edge, 20)
    closed, open_ends = known.estimate(Estimator(closed=True)), known.estimate(Estimator(closed=False))
    assert (closed.low == 0).all() and (open_ends.low > 0).all() and (closed.high < 1).all()


def test_the_prior_of_siblings_moves_their_posterior_means_together(bank):
    known = Knowledge(bank, Shape(bank), np.random.default_rng(1))
    for edge in range(5):
        known.draw(edge, 10)
    plain = known.estimate(Estimator())
    shrunk = known.estimate(Estimator(prior="siblings", shrunk=True))
    assert abs(shrunk.mean[3] - shrunk.mean[4]) < abs(plain.mean[3] - plain.mean[4])


def test_loading_a_saved_file_restores_it(bank, tmp_path):
    save([bank, bank], tmp_path / "truth.npz")
    again = load(tmp_path / "truth.npz")
    assert len(again) == 2
    for name, value in vars(bank).items():
        np.testing.assert_array_equal(getattr(again[1], name), value)


def test_judging_the_truth_itself_finds_no_error(bank):
    question = Question(bank)
    sure = np.repeat(question.truth[None], 3, axis=0)
    found = question.judge(Estimate(question.truth, question.truth, question.truth, sure))
    assert all(np.allclose(found[name], 0) for name in ("P̂", "gain", "cosine", "mean gain"))
    assert found["settled"].all() and not found["settled wrongly"].any() and not found["sign"].any()
    assert found["stake"].tolist() == pytest.approx([BACKED_UP - 0.3, 0.8])


def test_the_study_has_a_row_per_method_and_the_paper_is_its_own_baseline(bank):
    found = measured([Question(bank)], repeats=3)
    assert list(found) == [method.name for method in METHODS]
    assert [len(table.rows) for table in tables(found)] == [len(METHODS)] * 3
    tokens, figures = found[PAPER.name][-1]
    assert all(0 <= figures[f"{name} held"] <= 1 for name in ("P̂", "gain", "cosine"))
    assert figures["cosine at stake"] >= 0 and 0 <= figures["sign at stake"] <= 1
    assert tokens > 0


@pytest.mark.parametrize(
    ("goal", "said"), [(0.1, "2.0"), (0.05, "–"), (0.3, "> 4.0")], ids=["between", "never", "at once"]
)
def test_the_ratio_of_tokens_is_interpolated_between_budgets(goal, said):
    assert ratio([25, 50, 100], [0.2, 0.1, 0.08], goal, 100) == said
