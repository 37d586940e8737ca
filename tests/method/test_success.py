"""Counts by pooling rule, intervals, and the backup, against exact success in tabular models."""

import json
from pathlib import Path

import numpy as np
import pytest

from odd.method.pooling import RULES, Sample
from odd.method.success import (
    Counts,
    edge_counts,
    edge_draws,
    everywhere,
    jeffreys,
    natural,
    node_value,
    node_values,
    posterior_draws,
    random_halves,
    significant_children,
    wilson,
)
from odd.method.tree import build_tree
from odd.models.tabular import TabularModel

ORACLE = json.loads((Path(__file__).parents[1] / "oracle/tree.json").read_text())["questions"]
LAUNCHES = ((1, 4), (4, 2), (1, 4, 2))
ON_POLICY, STRATIFIED, POOLED = (RULES[name] for name in ("on_policy", "stratified", "pooled"))


class Run:
    """Simulated rollouts of the first oracle model: 60 from the root and 40 from each launch edge."""

    def __init__(self, seed, initial=60, forced=40, launches=LAUNCHES):
        self.model = TabularModel.from_weights({(): ORACLE[0]["weights"]})
        self.is_correct = {tuple(leaf) for leaf in ORACLE[0]["correct_leaves"]}.__contains__
        prefixes = [()] * initial + [launch for launch in launches for _ in range(forced)]
        generated = self.model.sample(prefixes, [9] * len(prefixes), 1.0, seed)
        rollouts = [(*prefix, *g.token_ids) for prefix, g in zip(prefixes, generated, strict=True)]
        self.tree = build_tree(rollouts)
        self.forced = np.array([len(prefix) for prefix in prefixes])
        self.correct = np.array([self.is_correct(ids) for ids in rollouts])

    def counts(self, rule):
        return edge_counts(self.tree, self.forced, self.correct, rule)

    @property
    def sample(self):
        probability = np.full(self.tree.size, np.nan)
        for launch in LAUNCHES:
            probability[self.tree.find(launch)] = self.model.probabilities(launch[:-1])[launch[-1]]
        return Sample(self.tree, self.forced, self.correct, probability)

    def draws(self, n):
        return STRATIFIED.posterior(self.sample, self.counts(STRATIFIED.counted), n, np.random.default_rng(0))

    def prefix(self, node):
        return tuple(self.tree.token[self.tree.path(node)[1:]].tolist())

    def exact(self, prefix):
        return self.model.p_succ(prefix, self.is_correct)


@pytest.fixture(scope="module")
def runs():
    return [Run(seed) for seed in range(300)]


def assert_unbiased(estimates, exact, sigmas=4.0):
    estimates = np.array([x for x in estimates if np.isfinite(x)])
    assert abs(estimates.mean() - exact) < sigmas * estimates.std(ddof=1) / np.sqrt(len(estimates))


@pytest.mark.parametrize("question", ORACLE)
def test_counts_and_backup_equal_the_oracle(question):
    tree = build_tree([rollout["tokens"] for rollout in question["rollouts"]])
    forced = np.array([rollout["forced"] for rollout in question["rollouts"]])
    correct = np.array([rollout["correct"] for rollout in question["rollouts"]])
    probability = np.full(tree.size, np.nan)
    edges = [(tree.find([*edge["node"], edge["token"]]), edge) for edge in question["edges"]]
    seen = [(node, edge) for node, edge in edges if node >= 0]
    for node, edge in seen:
        probability[node] = edge["probability"]
    sample = Sample(tree, forced, correct, probability)
    on_policy, pooled = (rule.success(sample).counts for rule in (ON_POLICY, POOLED))
    value = STRATIFIED.success(sample).value
    assert len(seen) == tree.size - 1 and all(edge["pooled"] == [0, 0] for node, edge in edges if node < 0)
    for node, edge in seen:
        assert [on_policy.visits[node], on_policy.successes[node]] == edge["on_policy"]
        assert [pooled.visits[node], pooled.successes[node]] == edge["pooled"]
        expected = np.nan if edge["stratified"] is None else edge["stratified"]
        np.testing.assert_allclose(value[node], expected, rtol=1e-6)


@pytest.mark.parametrize("edge", ((1,), (4,), (1, 4), (1, 4, 2), (4, 2, 2)))
def test_on_policy_and_stratified_are_unbiased(runs, edge):
    on_policy, backed_up = (
        [rule.success(run.sample).value[run.tree.find(edge)] for run in runs] for rule in (ON_POLICY, STRATIFIED)
    )
    assert_unbiased(on_policy, runs[0].exact(edge))
    assert_unbiased(backed_up, runs[0].exact(edge))


def test_pooling_biases_the_ancestors_of_launch_edges(runs):
    pooled = np.array([POOLED.success(run.sample).value[run.tree.find((1,))] for run in runs])
    assert abs(pooled.mean() - runs[0].exact((1,))) > 20 * pooled.std() / np.sqrt(len(runs))


def test_the_backup_is_more_precise_than_the_on_policy_mean(runs):
    node = [run.tree.find((1,)) for run in runs]
    on_policy, backed_up = (
        [rule.success(run.sample).value[n] for run, n in zip(runs, node, strict=True)]
        for rule in (ON_POLICY, STRATIFIED)
    )
    assert np.var(backed_up) < 0.8 * np.var(on_policy)


def test_stratified_draws_cover_exact_success_at_the_nominal_rate(runs):
    covered = []
    for run in runs:
        draws = run.draws(300)
        for edge in ((1,), (4,), (1, 4)):
            node = run.tree.find(edge)
            if node in draws:
                low, high = np.quantile(draws[node], [0.025, 0.975])
                covered.append(low <= run.exact(edge) <= high)
    assert len(covered) > 500 and abs(np.mean(covered) - 0.95) < 0.03


def test_both_intervals_contain_exact_success_at_the_nominal_rate(runs):
    covered = {wilson: [], jeffreys: []}
    for run in runs:
        counts = run.counts(ON_POLICY.counted)
        nodes = np.flatnonzero(counts.visits >= 20)[1:]
        exact = np.array([run.exact(run.prefix(node)) for node in nodes.tolist()])
        open_question = (exact > 0) & (exact < 1)
        for interval, hits in covered.items():
            low, high = interval(counts.successes[nodes], counts.visits[nodes])
            hits += ((low <= exact) & (exact <= high))[open_question].tolist()
    for hits in covered.values():
        assert len(hits) > 1500 and abs(np.mean(hits) - 0.95) < 0.02


def test_a_forced_token_counts_on_policy_but_not_as_sampled():
    tree, forced, correct = build_tree([[1, 2, 3], [1, 2, 0]]), np.array([2, 0]), np.array([True, False])
    path = [tree.find([1, 2, 3][:t]) for t in range(4)]
    assert edge_counts(tree, forced, correct, everywhere).visits[path].tolist() == [2, 2, 2, 1]
    assert edge_counts(tree, forced, correct, ON_POLICY.counted).visits[path].tolist() == [1, 1, 2, 1]
    assert edge_counts(tree, forced, correct, natural).visits[path].tolist() == [0, 1, 1, 1]


def test_sampled_tokens_follow_the_students_probabilities_at_any_node(runs):
    for node, token in (((), 1), ((1,), 4), ((1, 4), 2)):
        shares = []
        for run in runs:
            visits = run.counts(natural).visits
            children = run.tree.children(run.tree.find(node))
            shares.append(visits[run.tree.find((*node, token))] / visits[children].sum())
        assert_unbiased(shares, runs[0].model.probabilities(node)[token])


def test_the_backup_is_recursive():
    rollouts = [[1, 1, 1], [1, 1, 2], [1, 2, 0], [2, 0, 0]] + [[1, 1, 1]] * 4
    forced, correct = np.array([0, 2, 0, 0, 3, 3, 3, 3]), np.array([0, 1, 0, 1, 1, 1, 1, 0], dtype=bool)
    tree = build_tree(rollouts)
    probability = np.full(tree.size, np.nan)
    probability[tree.find([1, 1])], probability[tree.find([1, 1, 1])] = 0.6, 0.25
    value = STRATIFIED.success(Sample(tree, forced, correct, probability)).value
    inner = 0.25 * 3 / 5 + 0.75 * 1.0
    np.testing.assert_allclose(value[tree.find([1, 1])], inner)
    np.testing.assert_allclose(value[tree.find([1])], 0.6 * inner + 0.4 * 0.0)


def test_the_backup_falls_back_to_the_on_policy_mean_where_data_are_missing():
    tree, forced, correct = build_tree([[1, 2], [1, 2], [1, 2]]), np.array([2, 2, 0]), np.array([True, True, False])
    edge, parent = tree.find([1, 2]), tree.find([1])
    for known in (np.nan, 0.5):  # unknown probability; no rollout in the remaining half
        probability = np.where(np.arange(tree.size) == edge, known, np.nan)
        assert STRATIFIED.success(Sample(tree, forced, correct, probability)).value[parent] == 0.0
    whole = STRATIFIED.success(Sample(tree, forced, correct, np.ones(tree.size)))
    np.testing.assert_allclose(whole.value[parent], 2 / 3)


def test_draws_of_backed_up_edges_are_centred_on_their_mean():
    run = Run(0, initial=3000, forced=2000)
    draws = run.draws(2000)
    nodes = [run.tree.find(edge) for edge in ((1,), (4,), (1, 4, 2))]
    sample = edge_draws(nodes, run.counts(ON_POLICY.counted), 2000, np.random.default_rng(1), draws)
    np.testing.assert_allclose(sample.mean(0), STRATIFIED.success(run.sample).value[nodes], atol=0.004)
    assert (sample[:, 0] == draws[nodes[0]]).all()


def test_posterior_draws_have_the_jeffreys_quantiles_and_are_undefined_without_visits():
    successes, visits = np.array([3, 30, 0]), np.array([20, 31, 0])
    draws = posterior_draws(successes, visits, 40_000, np.random.default_rng(0))
    low, high = jeffreys(successes, visits)
    np.testing.assert_allclose(np.quantile(draws, 0.025, axis=0), low, atol=0.01)
    np.testing.assert_allclose(np.quantile(draws, 0.975, axis=0), high, atol=0.01)
    assert np.isnan(low[2]) and np.isnan(wilson(successes, visits)[0][2]) and np.isnan(draws[:, 2]).all()


def test_significant_children_have_enough_visits_and_the_rest_is_summed():
    tree = build_tree([[1], [1], [1], [2], [3], [3]])
    counts = Counts(np.array([0, 3, 1, 2]), np.array([0, 2, 1, 0]))
    children = significant_children(tree, 0, counts, counts, 3)
    assert children.nodes.tolist() == [tree.find([1])]
    assert (children.rest_visits, children.rest_successes) == (3, 1)


def test_the_value_of_a_node_is_the_mean_success_of_its_children():
    run = Run(0, initial=1)
    success = np.array([run.exact((token,)) for token in range(5)])
    np.testing.assert_allclose(node_value(run.model.probabilities(()), success), ORACLE[0]["root_value_exact"])


def values_of(success, low, high):
    """Return V of the root and of its second child, which has no children; the root's children have P = 0.5, 0.25."""
    parent, p_student = np.array([-1, 0, 0]), np.array([np.nan, 0.5, 0.25])
    visits = np.array([9, 4, 5])
    return node_values(np.array([0, 2]), parent, p_student, *map(np.array, (success, low, high)), visits)


def test_the_interval_of_a_value_combines_the_childrens_and_allows_anything_for_unvisited_ones():
    found = values_of([0.5, 0.8, 0.2], [0.0, 0.7, 0.1], [1.0, 0.9, 0.3])
    mean, arm = (0.5 * 0.8 + 0.25 * 0.2) / 0.75, 0.1 * np.hypot(0.5, 0.25) / 0.75
    ends = 0.75 * (mean - arm), 0.75 * (mean + arm) + 0.25
    np.testing.assert_allclose([found.value[0], found.low[0], found.high[0]], [mean, *ends])
    assert found.visits.tolist() == [9, 5]


def test_a_value_is_the_nodes_own_success_where_that_is_more_precise():
    found = values_of([0.5, 0.8, 0.2], [0.4, 0.7, 0.1], [0.6, 0.9, 0.3])
    assert (found.value.tolist(), found.low.tolist(), found.high.tolist()) == ([0.5, 0.2], [0.4, 0.1], [0.6, 0.3])


def test_a_value_comes_from_the_children_if_the_node_has_no_visits():
    found = values_of([np.nan, 0.8, np.nan], [np.nan, 0.7, np.nan], [np.nan, 0.9, np.nan])
    assert found.value[0] == pytest.approx(0.8) and np.isnan(found.value[1])


def test_halves_split_the_rollouts_of_each_launch_edge_evenly():
    launch = np.repeat([0, 7, 9], [50, 11, 4])
    second = random_halves(launch, np.random.default_rng(0))
    for edge, count in ((0, 50), (7, 11), (9, 4)):
        assert abs(second[launch == edge].sum() - count / 2) <= 0.5


def test_halves_do_not_depend_on_the_order_of_the_rollouts():
    launch = np.zeros(4000, dtype=np.int64)
    second = random_halves(launch, np.random.default_rng(1))
    assert abs(second[:2000].mean() - 0.5) < 0.05 and abs((second[1:] == second[:-1]).mean() - 0.5) < 0.05
    assert len(random_halves(np.empty(0, np.int64), np.random.default_rng(2))) == 0
