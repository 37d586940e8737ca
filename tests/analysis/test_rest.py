"""Gain and teacher advantage against exact success on a tabular model, with much of the student outside S_u."""

from functools import cache

import numpy as np
import pytest

from odd.analysis.question_tree import QuestionTree
from odd.analysis.teacher_scores import score_teachers
from odd.config import AnalysisConfig, objective
from odd.models.tabular import TabularModel
from odd.rollouts.sampling import Rollout
from tests.distributions import rows_along

V = 9
FIRST = np.array([0.0, 0.3, 0.25, 0.15, 0.1, 0.08, 0.06, 0.04, 0.02])
REPEATS = 40
FULL = "on_policy-full-off"


@cache
def model_of(seed):
    """Two tokens a response; the second is right or wrong."""
    rng = np.random.default_rng(seed)
    # the tokens that are drawn seldom succeed far more often or far less than the others
    success = np.where(np.arange(V) < 4, 0.2 + 0.2 * rng.random(V), rng.choice([0.05, 0.95], V))
    rows = [{"prefix": [], "weights": dict(enumerate(FIRST.tolist()))}]
    rows += [{"prefix": [t], "weights": {1: success[t], 2: 1 - success[t]}} for t in range(1, V)]
    return TabularModel.from_weights({(): rows})


def is_correct(leaf):
    return leaf[-1] == 1


@cache
def scored(seed, initial=120):
    """Tables of the root from a few rollouts, by convention, and the teacher's probabilities there."""
    model, rng = model_of(seed), np.random.default_rng(seed)
    prefixes = [()] * initial + [(1,)] * 40 + [(2,)] * 40
    rollouts = []
    for prefix, made in zip(prefixes, model.sample(prefixes, [2] * len(prefixes), 1.0, seed), strict=True):
        ids, stage = np.array((*prefix, *made.token_ids), np.int32), "targeted" if prefix else "initial"
        log_probs = np.zeros(len(ids), np.float32)
        rollouts.append(Rollout(stage, 0, len(prefix), ids, log_probs, "", "", is_correct(ids), False))
    config = AnalysisConfig(n_sig=20, posterior_draws=200, objectives=(objective("reverse_kl"),), seed=seed)
    response = tuple(rollouts[0].token_ids.tolist())
    log_p = model.log_probs((), response)
    other = log_p + rng.normal(size=log_p.shape).astype(np.float32)
    log_q = (other - np.log(np.exp(other).sum(axis=1, keepdims=True))).astype(np.float32)
    rows = rows_along([response], [log_p], {"teacher": [log_q]}, config.objectives)
    tables = score_teachers(QuestionTree("q", rollouts, [0], rows, config))
    at_root = {name: table[table["node"] == 0] for name, table in tables.items() if "convention" in table}
    by = {name: table.set_index(table["convention"].astype(str)) for name, table in at_root.items()}
    return by, np.exp(log_q[0].astype(float))


def teacher_step(tables):
    """The teacher's gradient at the children, over the whole vocabulary, of length 1."""
    step = np.zeros(V)
    step[tables["components"].loc[FULL, "tokens"]] = tables["gradients"].loc[FULL, "teacher_gradient"]
    return step / np.linalg.norm(step)


def derivative(model, direction, step=1e-5):
    """Change of exact success at the root per unit step of its logits."""
    up, down = (model.nudged((), sign * step * direction).p_succ((), is_correct) for sign in (1, -1))
    return (up - down) / (2 * step)


@pytest.fixture(scope="module")
def held():
    """How often the interval held the truth, by measure."""
    found = {"gain": [], "advantage": []}
    for seed in range(REPEATS):
        (tables, q), model = scored(seed), model_of(seed)
        step = teacher_step(tables)
        success = np.array([model.p_succ((token,), is_correct) for token in range(1, V)])
        truth = {"gain": derivative(model, step), "advantage": (q - FIRST)[1:] @ success}
        row = tables["scores"].loc[FULL]
        for name, value in truth.items():
            found[name].append(row[f"{name}_low"] <= value <= row[f"{name}_high"])
    return {name: float(np.mean(each)) for name, each in found.items()}


def test_the_interval_of_the_gain_holds_the_true_first_order_change(held):
    assert held["gain"] >= 0.9


def test_the_interval_of_the_advantage_holds_what_the_teacher_would_reach(held):
    assert held["advantage"] >= 0.95


def test_an_unvisited_rest_bounds_the_scores_and_leaves_none_undefined():
    for seed in range(5):
        tables, _ = scored(seed, initial=0)
        scores, truth = tables["scores"], derivative(model_of(seed), teacher_step(tables))
        assert scores[["gain", "gain_low", "gain_high", "advantage", "advantage_low"]].notna().all(axis=None)
        assert scores["alignment"].notna()[scores["decision"]].all()
        assert scores.loc[FULL, "gain_low"] <= truth <= scores.loc[FULL, "gain_high"]


@pytest.mark.parametrize("name", ["alignment", "gain", "advantage"])
def test_a_score_is_inside_its_own_interval(name):
    low, high = ("low", "high") if name == "alignment" else (f"{name}_low", f"{name}_high")
    for seed in range(REPEATS):
        scores = scored(seed)[0]["scores"]
        known = scores[scores[name].notna()]
        assert ((known[low] <= known[name]) & (known[name] <= known[high])).all()
