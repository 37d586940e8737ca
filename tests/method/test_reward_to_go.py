"""MiniLLM's reward-to-go: its sums, which rollouts count, and the gradient against enumeration and autograd."""

import numpy as np
import pandas as pd
import pytest
import torch

from odd.analysis.question_tree import QuestionTree
from odd.analysis.rollout_rewards import Reading, RolloutRewards
from odd.analysis.teacher_scores import score_teachers
from odd.config import AnalysisConfig, objective
from odd.method.logspace import soften
from odd.method.node_signal import NodeSignal
from odd.method.objectives import Rollouts
from odd.method.objectives.minillm import minillm
from odd.method.objectives.reverse_kl import reverse_kl
from odd.method.pooling import RULES
from odd.method.reward_to_go import edge_means, split_rewards
from odd.method.success import natural
from odd.method.tree import build_tree
from odd.models.tabular import TabularModel
from odd.rollouts.sampling import Rollout
from tests.distributions import rows_along

GAMMAS = (0.0, 0.7, 1.0)


def rows(seed):
    """Next-token weights in quarters, which 64 rollouts of three tokens can match exactly. Token 0 ends a response."""
    rng = np.random.default_rng(seed)
    quarters = [(0, 1, 1, 2), (0, 2, 1, 1), (1, 1, 0, 2), (2, 1, 1, 0), (1, 3, 0, 0), (0, 1, 3, 0)]
    table, level = {(): (0, 2, 1, 1)}, [()]
    for _ in range(2):
        level = [(*prefix, token) for prefix in level for token in np.flatnonzero(table[prefix]).tolist() if token]
        table |= {prefix: quarters[int(rng.integers(len(quarters)))] for prefix in level}
    return [{"prefix": list(prefix), "weights": dict(enumerate(weights))} for prefix, weights in table.items()]


def teacher_of(model, seed):
    """Return a model with other probabilities for the same tokens."""
    rng = np.random.default_rng(seed)
    table = {}
    for prefix, row in model._tables[()].items():
        weights = np.where(row > 0, rng.uniform(0.2, 1, len(row)), 0)
        table[prefix] = weights / weights.sum()
    return TabularModel({(): table})


STUDENT = TabularModel.from_weights({(): rows(1)})
TEACHER = teacher_of(STUDENT, 2)
LEAVES = dict(STUDENT.leaves())
PATHS = sorted(LEAVES)  # every response, so that all nodes are path nodes


def token_log_probs(model, response, temperature):
    return soften(model.log_probs((), response), temperature)[np.arange(len(response)), list(response)]


def rollout(tokens, launch=0):
    stage = "targeted" if launch else "initial"
    ids, log_probs = np.array(tokens, np.int32), np.zeros(len(tokens), np.float32)
    return Rollout(stage, 0, launch, ids, log_probs, "", "", bool(sum(tokens) % 2), False)


def read(rollouts, temperatures, teachers):
    def of(model):
        return {
            t: [
                np.where(np.arange(len(r.token_ids)) < r.launch, np.nan, token_log_probs(model, r.token_ids, t))
                for r in rollouts
            ]
            for t in temperatures
        }

    return Reading(of(STUDENT), {name: of(model) for name, model in teachers.items()})


def analyse(objectives, rollouts, teachers=None, n_sig=1):
    """Return the tree of the question, and the reading."""
    teachers = teachers or {"te": TEACHER}
    config = AnalysisConfig(posterior_draws=50, objectives=objectives, n_sig=n_sig)
    paths = [[tuple(r.token_ids.tolist()) for r in rollouts].index(leaf) for leaf in PATHS]
    log_p = [STUDENT.log_probs((), leaf) for leaf in PATHS]
    log_q = {name: [model.log_probs((), leaf) for leaf in PATHS] for name, model in teachers.items()}
    tree = QuestionTree("q", rollouts, paths, rows_along(PATHS, log_p, log_q, objectives), config)
    return tree, read(rollouts, config.reading_temperatures, teachers)


def through(tree, reading, node):
    """Return the rollouts through a node, with their rewards."""
    children = list(tree.tree.children(node))
    visits = tree.success["on_policy"].counts.visits[children]
    rewards = RolloutRewards(tree, reading).at(node, "on_policy")
    return Rollouts(tree.tree.token[children].astype(np.int64), visits, visits, rewards)


def exact_rollouts():
    """Return 64 initial rollouts in exact proportion to their probabilities."""
    counts = {leaf: round(64 * p) for leaf, p in LEAVES.items()}
    assert sum(counts.values()) == 64 and all(counts.values())
    return [rollout(leaf) for leaf, count in counts.items() for _ in range(count)]


def expected_gradient(prefix, gamma, normalize=False):
    """Compute the derivative of a node's expected reward-to-go in its logits, over all responses, by autograd.

    Rewards are held fixed, as in a policy gradient. Without normalisation that changes nothing.
    """
    row = STUDENT.probabilities(prefix)
    z = torch.tensor(np.where(row > 0, np.log(np.where(row > 0, row, 1)), -torch.inf), requires_grad=True)
    log_p = torch.log_softmax(z, -1)
    total = torch.zeros((), dtype=torch.float64)
    for leaf, probability in STUDENT.leaves((), prefix):
        rest = leaf[len(prefix) :]
        later = probability / row[rest[0]]
        reward = (token_log_probs(TEACHER, leaf, 1.0) - token_log_probs(STUDENT, leaf, 1.0))[len(prefix) :]
        powers = gamma ** np.arange(len(rest))
        to_go = (powers * reward).sum() / (powers.sum() if normalize else 1)
        if normalize:
            total = total + log_p[rest[0]].exp() * later * to_go
        else:  # the reward of the token itself depends on the logits
            own = torch.tensor(token_log_probs(TEACHER, leaf, 1.0)[len(prefix)]) - log_p[rest[0]]
            total = total + log_p[rest[0]].exp() * later * (own + to_go - reward[0])
    total.backward()
    return np.nan_to_num(z.grad.numpy())


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("gamma", GAMMAS)
def test_engine_gives_the_gradient_of_the_expected_reward_to_go(gamma, normalize):
    asked = objective("minillm", gamma=gamma, length_normalization=normalize)
    tree, reading = analyse((asked,), exact_rollouts())
    for node, (path, position) in tree.places.items():
        actual = NodeSignal(tree.rows.at(path, position), through(tree, reading, node)).at(asked, np.arange(4))[0]
        expected = expected_gradient(PATHS[path][:position], gamma, normalize)
        np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.mark.parametrize("normalize", [False, True])
def test_without_a_future_minillm_is_reverse_kl_under_every_convention(normalize):
    objectives = (objective("reverse_kl"), objective("minillm", gamma=0, length_normalization=normalize))
    rollouts = [*exact_rollouts(), *[rollout(leaf, launch=2) for leaf in PATHS if len(leaf) > 2]]
    scores = score_teachers(*analyse(objectives, rollouts, n_sig=4))["scores"].drop(columns="objective")
    one, other = scores.iloc[::2], scores.iloc[1::2]
    assert len(one) and one["alignment"].notna().any()
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True), rtol=1e-9)


def test_the_student_itself_as_teacher_gives_no_gradient_and_no_alignment():
    rollouts = [*exact_rollouts(), *[rollout(leaf, launch=1) for leaf in PATHS]]
    tables = score_teachers(*analyse((objective("minillm"),), rollouts, {"self": STUDENT}))
    assert all((gradient == 0).all() for gradient in tables["gradients"]["teacher_gradient"])
    assert tables["scores"]["alignment"].isna().all() and tables["scores"]["gain"].isna().all()


def test_sampled_rollouts_approach_the_expectation():
    made = STUDENT.sample([()] * 4000, [9] * 4000, 1.0, seed=5)
    asked = objective("minillm")
    tree, reading = analyse((asked,), [rollout(generation.token_ids) for generation in made])
    actual = NodeSignal(tree.rows.at(0, 0), through(tree, reading, 0)).at(asked, np.arange(4))[0]
    np.testing.assert_allclose(actual, expected_gradient((), 1.0), atol=0.02)


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_loss_temperature_equals_autograd_of_the_surrogate(gamma, temperature):
    """Rewards are from the softened distributions and held fixed; the policy is softened, too."""
    rng = np.random.default_rng(3)
    student, teacher = rng.normal(0, 2, (2, 1, 9))
    later = gamma * rng.normal(0, 1, (1, 9))
    z = torch.tensor(student, requires_grad=True)
    log_p = torch.log_softmax(z / temperature, -1)
    reward = (torch.log_softmax(torch.tensor(teacher) / temperature, -1) - log_p).detach() + torch.tensor(later)
    (log_p.exp() * reward).sum().backward()
    plain = (torch.log_softmax(torch.tensor(logits), -1).numpy() for logits in (student, teacher))
    np.testing.assert_allclose(minillm(*plain, np.ones((1, 9)), later, temperature), z.grad.numpy(), atol=1e-12)


def test_loss_temperature_softens_the_rewards_of_whole_rollouts():
    objectives = tuple(objective("minillm", temperature=t) for t in (1.0, 2.0))
    tree, reading = analyse(objectives, exact_rollouts())
    means = RolloutRewards(tree, reading).means["on_policy"]
    leaf = next(leaf for leaf in PATHS if len(leaf) == 3)
    node = tree.tree.find(leaf[:2])  # what follows this edge is one token, the mean over its children
    for one in objectives:
        p = STUDENT.probabilities(leaf[:2])
        soft = [soften(model.log_probs((), leaf)[2], one.temperature) for model in (TEACHER, STUDENT)]
        with np.errstate(invalid="ignore"):
            expected = np.nansum(p * np.where(p > 0, soft[0] - soft[1], 0))
        assert means[one].later[0, node] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_reward_to_go_is_the_discounted_sum_and_its_length_the_discounted_count(gamma):
    rewards = np.random.default_rng(0).normal(size=(3, 5))
    lengths = np.array([5, 2, 1])
    inside = np.arange(5) < lengths[:, None]
    plain, normalized = (split_rewards(rewards, inside, gamma, flag) for flag in (False, True))
    for i, length in enumerate(lengths):
        for t in range(length):
            powers = gamma ** np.arange(length - t)
            total = (powers * rewards[i, t:length]).sum()
            assert plain.first[i, t] * rewards[i, t] + plain.later[i, t] == pytest.approx(total)
            mean = normalized.first[i, t] * rewards[i, t] + normalized.later[i, t]
            assert mean == pytest.approx(total / powers.sum())


@pytest.mark.parametrize("gamma", (0.4, 1.0))
def test_length_normalisation_is_that_of_trl(gamma):
    """`MiniLLMTrainer._compute_advantage` with `length_normalization`, TRL 1.0.0 (trl/experimental/minillm, up to
    1.10; removed in 1.16): both cumulative sums from the end, with powers of gamma from the start, then divided.
    """
    rewards = torch.tensor(np.random.default_rng(1).normal(size=(2, 6)))
    powers = gamma ** torch.arange(6, dtype=torch.float64)
    trl = (rewards * powers).flip(1).cumsum(1).flip(1) / powers.expand(2, 6).flip(1).cumsum(1).flip(1)
    ours = split_rewards(rewards.numpy(), np.ones((2, 6), bool), gamma, True)
    np.testing.assert_allclose(ours.first * rewards.numpy() + ours.later, trl.numpy(), rtol=1e-12)


def test_an_unknown_reward_makes_only_earlier_positions_unknown():
    rewards = np.array([[1.0, np.nan, 2.0, 3.0]])
    later = split_rewards(rewards, np.ones((1, 4), bool), 1.0, False).later[0]
    assert np.isnan(later[0]) and (later[1:] == [5, 3, 0]).all()
    assert (split_rewards(rewards, np.ones((1, 4), bool), 0.0, False).later == 0).all()


def test_a_forced_rollout_counts_from_its_launch_edge_down_unless_pooled():
    tree = build_tree([(1, 2, 3), (1, 2, 4)])
    values, forced = np.array([[10.0, 10, 10], [20, 20, 20]]), np.array([0, 2])
    first, second = tree.find([1]), tree.find([1, 2])
    on_policy, pooled = (edge_means(tree, forced, values, RULES[rule].counted) for rule in ("on_policy", "pooled"))
    assert (on_policy[first], on_policy[second], on_policy[tree.find([1, 2, 4])]) == (10, 15, 20)
    assert (pooled[first], pooled[second]) == (15, 15)
    assert np.isnan(edge_means(tree, forced, values, natural)[0])  # the root is not an edge


def test_a_token_that_no_rollout_took_gets_the_mean_of_the_others():
    rng = np.random.default_rng(4)
    log_p, log_q = (np.log(rng.dirichlet(np.ones(4)))[None] for _ in range(2))
    later = np.array([[1.0, -2.0, np.nan, 0.5]])
    p = np.exp(log_p[0])
    mean = (p[[0, 1, 3]] * later[0, [0, 1, 3]]).sum() / p[[0, 1, 3]].sum()
    filled = np.where(np.isnan(later), mean, later)
    first = np.where(np.isnan(later), np.nan, 1.0)
    np.testing.assert_allclose(minillm(log_p, log_q, first, later), minillm(log_p, log_q, np.ones((1, 4)), filled))
    assert np.isnan(minillm(log_p, log_q, first * np.nan, later * np.nan)).all()
    np.testing.assert_allclose(minillm(log_p, log_q, first, 0 * later), reverse_kl(log_p, log_q), atol=1e-15)


def test_minillm_without_a_reading_is_rejected():
    tree, _ = analyse((objective("minillm"),), exact_rollouts())
    with pytest.raises(ValueError, match="need the log-probabilities"):
        score_teachers(tree)
