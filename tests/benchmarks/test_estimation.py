"""Estimators and allocations on a made-up question whose truth is known."""

import numpy as np
import pytest

from benchmarks.allocation import FLOOR, Adaptive, uniform
from benchmarks.estimation import METHODS, PAPER, Question, measured, ratio, tables
from benchmarks.estimators import Knowledge, Shape
from benchmarks.ground_truth import Bank, load, save

ROLLOUTS = 3000
P = np.array([1.0, 0.6, 0.4, 0.7, 0.2])
SUCCESS = {2: 0.3, 3: 0.9, 4: 0.1, "other": 0.5}
BACKED_UP = 0.7 * 0.9 + 0.2 * 0.1 + 0.1 * 0.5
"""Success of edge 1, whose node edges 3 and 4 leave."""


def launched(edge, rng):
    """Deepest edge and outcome of a rollout from an edge."""
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


def test_a_backed_up_edge_has_what_its_children_have(known):
    for edge in range(5):
        known.draw(edge, ROLLOUTS)
    assert known.estimate("stratified").mean[1] == pytest.approx(BACKED_UP, abs=0.02)


def test_pooling_drags_an_edge_towards_what_was_forced_below_it_and_counting_on_policy_does_not(known):
    known.draw(0, 500)
    known.draw(4, 2500)
    assert known.estimate("pooled").mean[1] < BACKED_UP - 0.3
    assert known.estimate("on_policy").mean[1] == pytest.approx(BACKED_UP, abs=0.12)


def test_without_initial_rollouts_targeted_ones_alone_count(known):
    known.draw(0, 100)
    known.draw(2, 30)
    assert known.tallies("on_policy", initial=False)[1].tolist() == [0, 0, 30, 0, 0]


def test_siblings_that_share_their_uniform_numbers_take_the_same_rollouts(bank):
    known = Knowledge(bank, Shape(bank), np.random.default_rng(1), common=True)
    assert (known.order[1] == known.order[2]).all()
    assert (known.order[1] != known.order[3]).any()


def test_more_than_there_is_is_refused(known):
    with pytest.raises(ValueError, match="only 3000 rollouts"):
        known.draw(1, ROLLOUTS + 1)


def test_uniform_brings_every_edge_to_its_visits(known):
    known.draw(0, 200)
    uniform(known, 100)
    assert (known.tallies("on_policy")[1][1:] >= 100).all()
    assert known.tokens == known.used[1:].sum() * 10


def test_adaptive_keeps_to_its_budget_and_leaves_what_is_sure(bank):
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
    without, _ = Adaptive("gain", backed_up=False).worth(known)
    assert with_backup[3] > without[3]
    assert with_backup[1] < without[1]


def test_nodes_whose_sign_is_sure_are_left(known):
    known.draw(0, 500)
    uniform(known, 1000)
    assert not Adaptive("gain", leave_settled=True).worth(known)[0].any()


def test_the_file_gives_back_what_was_saved(bank, tmp_path):
    save([bank, bank], tmp_path / "truth.npz")
    again = load(tmp_path / "truth.npz")
    assert len(again) == 2
    for name, value in vars(bank).items():
        np.testing.assert_array_equal(getattr(again[1], name), value)


def test_the_study_has_a_row_a_method_and_the_paper_is_its_own_measure(bank):
    found = measured([Question(bank)], repeats=3)
    assert list(found) == [method.name for method in METHODS]
    assert [len(table.rows) for table in tables(found)] == [len(METHODS)] * 3
    tokens, figures = found[PAPER.name][-1]
    assert all(0 <= figures[f"{name} held"] <= 1 for name in ("P̂", "gain", "cosine"))
    assert tokens > 0


@pytest.mark.parametrize(
    ("goal", "said"), [(0.1, "2.0"), (0.05, "–"), (0.3, "> 4.0")], ids=["between", "never", "at once"]
)
def test_the_ratio_of_tokens_is_read_between_budgets(goal, said):
    assert ratio([25, 50, 100], [0.2, 0.1, 0.08], goal, 100) == said
