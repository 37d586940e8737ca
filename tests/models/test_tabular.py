"""The tabular model: exact quantities, and samples that follow them."""

import json
from pathlib import Path

import numpy as np
import pytest

from odd.errors import OddError
from odd.models.tabular import TabularModel

QUESTIONS = json.loads((Path(__file__).parents[1] / "oracle/tree.json").read_text())["questions"]
PROMPTS = ((7, 1), (7, 2))


@pytest.fixture(scope="module")
def model():
    return TabularModel.from_weights(dict(zip(PROMPTS, (q["weights"] for q in QUESTIONS), strict=True)))


@pytest.mark.parametrize(("prompt", "question"), list(zip(PROMPTS, QUESTIONS, strict=True)))
def test_exact_success_equals_the_oracle(model, prompt, question):
    is_correct = {tuple(leaf) for leaf in question["correct_leaves"]}.__contains__
    np.testing.assert_allclose(model.p_succ((), is_correct, prompt), question["root_value_exact"])
    for edge in question["edges"]:
        exact = model.p_succ((*edge["node"], edge["token"]), is_correct, prompt)
        np.testing.assert_allclose(exact, edge["p_succ_exact"], atol=1e-12)


def test_leaf_probabilities_sum_to_one(model):
    assert sum(p for _, p in model.leaves(PROMPTS[0])) == pytest.approx(1)
    assert sum(p for _, p in model.leaves(PROMPTS[1], (2, 4))) == pytest.approx(1)


@pytest.mark.parametrize("temperature", (1.0, 0.5))
def test_samples_follow_the_softened_table(model, temperature):
    n = 20_000
    generated = model.sample([(*PROMPTS[1], 2)] * n, [1] * n, temperature, seed=3)
    p = model.probabilities((2,), PROMPTS[1]) ** (1 / temperature)
    p /= p.sum()
    drawn = np.bincount([g.token_ids[0] for g in generated], minlength=5) / n
    assert np.abs(drawn - p).max() < 4 * np.sqrt(0.25 / n)
    for g in generated[:20]:
        assert g.log_probs[0] == pytest.approx(np.log(p[g.token_ids[0]]), rel=1e-5)


@pytest.mark.parametrize("temperature", (1.0, 2.0))
def test_log_probs_score_what_was_sampled(model, temperature):
    for g in model.sample([PROMPTS[0]] * 50, [9] * 50, temperature, seed=0):
        rows = model.log_probs(PROMPTS[0], g.token_ids, temperature)
        assert rows.dtype == np.float32 and rows.shape == (len(g.token_ids), model.vocabulary_size)
        np.testing.assert_allclose(rows[np.arange(len(rows)), list(g.token_ids)], g.log_probs, rtol=1e-5)
        np.testing.assert_allclose(np.exp(rows).sum(-1), 1, rtol=1e-5)


def test_only_the_token_limit_truncates(model):
    whole, cut = (model.sample([PROMPTS[0]] * 200, [limit] * 200, 1.0, seed=1) for limit in (9, 2))
    assert not any(g.truncated for g in whole) and {len(g.token_ids) for g in whole} <= {3, 4}
    assert all(g.truncated == (not model.is_terminal(g.token_ids, PROMPTS[0])) for g in cut)
    assert any(g.truncated for g in cut)


def test_the_seed_decides_the_samples(model):
    first, again, other = (
        [g.token_ids for g in model.sample([PROMPTS[0]] * 30, [9] * 30, 1.0, seed)] for seed in (5, 5, 6)
    )
    assert first == again != other


def test_nudging_changes_the_logits_of_one_node_only(model):
    delta = np.array([0.0, 1.0, 0.0, -2.0, 0.5])
    nudged = model.nudged((1,), delta, PROMPTS[0])
    before, after = (m.probabilities((1,), PROMPTS[0]) for m in (model, nudged))
    possible = before > 0
    shift = np.log(after[possible]) - np.log(before[possible]) - delta[possible]
    np.testing.assert_allclose(shift, shift[0])
    np.testing.assert_array_equal(model.probabilities((), PROMPTS[0]), nudged.probabilities((), PROMPTS[0]))
    np.testing.assert_array_equal(model.probabilities((1,), PROMPTS[1]), nudged.probabilities((1,), PROMPTS[1]))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({(): {(): [0.5, 0.6]}}, "not a distribution"),
        ({(): {(1,): [0.5, 0.5]}}, "empty prefix"),
        ({(): {(): [1.0, 0.0], (1,): [0.5, 0.5]}}, "cannot be reached"),
        ({(): {(): [0.5, 0.5], (0,): [0.5, 0.5]}}, "continues after the end token 0"),
        ({(): {(): [0.5, 0.5], (1,): [1.0]}}, "lengths"),
        ({(3,): {(): [0.5, 0.5]}, (3, 1): {(): [0.5, 0.5]}}, "begins another prompt"),
    ],
)
def test_malformed_tables_are_rejected(tables, message):
    with pytest.raises(OddError, match=message):
        TabularModel(tables)


def test_an_unknown_prompt_or_prefix_is_named(model):
    with pytest.raises(OddError, match="no prompt starts"):
        model.sample([(9, 9)], [4], 1.0, 0)
    with pytest.raises(OddError, match="nothing follows prefix"):
        model.log_probs(PROMPTS[0], (0, 0))
