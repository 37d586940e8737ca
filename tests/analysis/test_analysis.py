"""Rows of the tree and of the scores, on an exact tabular model."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from odd.analysis.question_tree import QuestionTree
from odd.analysis.teacher_scores import score_teachers
from odd.config import AnalysisConfig, objective
from odd.method import alignment
from odd.method.conventions import REST
from odd.method.gradients import ideal_gradient
from odd.method.success import jeffreys, wilson
from odd.models.tabular import TabularModel
from odd.rollouts.sampling import Rollout
from tests.distributions import rows_along

QUESTION = json.loads((Path(__file__).parents[1] / "oracle/tree.json").read_text())["questions"][0]
CONFIG = AnalysisConfig(n_sig=5, posterior_draws=100, objectives=(objective("reverse_kl"), objective("dr_grpo")))


TILTS = {"up": 0.5, "down": -0.5}
"""Teachers that lean towards higher or lower token ids."""


def make_tree(config=CONFIG, always=None, tilts=TILTS):
    model = TabularModel.from_weights({(): QUESTION["weights"]})
    correct = {tuple(leaf) for leaf in QUESTION["correct_leaves"]}
    prefixes = [()] * 150 + [(1, 4)] * 40 + [(4, 2)] * 40
    rollouts = []
    for prefix, made in zip(prefixes, model.sample(prefixes, [9] * len(prefixes), 1.0, 3), strict=True):
        ids = (*prefix, *made.token_ids)
        stage = "targeted" if prefix else "initial"
        won = ids in correct if always is None else always
        tokens, log_probs = np.array(ids, np.int32), np.zeros(len(ids), np.float32)
        rollouts.append(Rollout(stage, 0, len(prefix), tokens, log_probs, "", "", won, False))
    leaves = [tuple(r.token_ids.tolist()) for r in rollouts]
    paths = [next(i for i, leaf in enumerate(leaves) if (leaf in correct) is outcome) for outcome in (True, False)]
    responses = [leaves[i] for i in paths]
    log_p = [model.log_probs((), response) for response in responses]
    log_q = {
        name: [rows + tilt * np.arange(rows.shape[1], dtype=np.float32) for rows in log_p]
        for name, tilt in tilts.items()
    }
    return QuestionTree("q", rollouts, paths, rows_along(responses, log_p, log_q, config.objectives), config)


@pytest.fixture(scope="module")
def tree():
    return make_tree()


@pytest.fixture(scope="module")
def tables(tree):
    return score_teachers(tree)


def test_one_row_for_each_teacher_objective_and_convention(tables):
    sizes = tables["scores"].groupby(["node", "teacher", "objective", "convention"]).size()
    assert (sizes == 1).all()
    per_node = tables["scores"][tables["scores"].convention.str.startswith("on_policy")].groupby("node").size()
    assert (per_node == 2 * 2 * 4).all()


def test_score_is_the_cosine_of_the_method(tree, tables):
    root = tables["scores"].query(
        "node == 0 and teacher == 'up' and objective == 'reverse_kl' and convention == 'on_policy-full-off'"
    )
    counts = tree.success["on_policy"].counts
    children = [c for c in tree.tree.children(0) if counts.visits[c] >= CONFIG.n_sig]
    support = tree.tree.token[children]
    row = tree.rows.at(0, 0)[1.0]
    log_p, log_q = row.log_p.astype(float), row.log_q[0].astype(float)
    ideal = ideal_gradient(np.exp(log_p[support]), counts.successes[children] / counts.visits[children])
    gradient = objective("reverse_kl").gradient(log_p, log_q)[support]
    assert root.alignment.item() == pytest.approx(float(alignment.cosine(ideal, gradient)))


def test_a_teacher_scores_the_same_alone_and_among_others(tree, tables):
    alone = score_teachers(make_tree(tilts={"down": -0.5}))["scores"].astype({"teacher": str})
    among = tables["scores"].astype({"teacher": str}).query("teacher == 'down'")
    pd.testing.assert_frame_equal(alone, among.reset_index(drop=True), check_exact=True)


def test_what_has_no_teacher_scores_the_same_under_each(tables):
    up, down = (tables["scores"].query(f"teacher == {name!r} and objective == 'dr_grpo'") for name in ("up", "down"))
    different = ["teacher", "advantage", "advantage_low", "advantage_high"]
    one, other = (rows.drop(columns=different).reset_index(drop=True) for rows in (up, down))
    assert one["low"].notna().any()
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_bucket_adds_one_component_at_the_end(tables):
    bucket = tables["components"][tables["components"].convention.str.endswith("bucket")]
    assert all(tokens[-1] == REST and (tokens[:-1] >= 0).all() for tokens in bucket.tokens)
    both = tables["gradients"].merge(bucket, on=["node", "convention"])
    assert len(both) == 2 * 2 * len(bucket)
    columns = [both[name].map(len) for name in ("tokens", "p", "success", "ideal", "teacher_gradient")]
    assert all((column == columns[0]).all() for column in columns)


def test_ideal_gradients_follow_from_the_stored_probabilities_and_successes(tables):
    for row in tables["components"].itertuples():
        np.testing.assert_allclose(row.ideal, ideal_gradient(row.p, row.success), rtol=1e-6, atol=1e-9)


def test_interval_encloses_most_scores(tables):
    scored = tables["scores"].dropna(subset=["alignment"])
    inside = (scored.low <= scored.alignment) & (scored.alignment <= scored.high)
    assert inside.mean() > 0.8


def test_equal_success_leaves_the_score_its_interval_and_its_sign_undefined():
    scores = score_teachers(make_tree(always=True))["scores"].query("convention == 'on_policy-full-off'")
    assert len(scores) and not scores.decision.any() and (scores.success_range == 0).all()
    assert scores[["alignment", "low", "high", "p_positive"]].isna().all(axis=None)


def test_path_nodes_shared_by_paths_are_scored_once(tree, tables):
    assert tree.places[0] == (0, 0)
    assert tables["node_teachers"].groupby(["node", "teacher"]).size().max() == 1


def of_rule(tree, pooling):
    """Rows of `nodes` and of `success` under a rule, joined."""
    tables = tree.tables()
    success = tables["success"]
    return tables["nodes"].merge(success[success.pooling == pooling], on="node")


def test_root_row_counts_initial_rollouts_only(tree):
    root = of_rule(tree, "on_policy").query("node == 0").iloc[0]
    assert (root.visits, root.rollouts) == (150, 230)


def test_every_rule_has_a_row_of_success_for_every_node_that_is_kept(tree):
    tables = tree.tables()
    assert (tables["success"].groupby("node").size() == 3).all()
    assert set(tables["success"].node) == set(tables["nodes"].node)


def test_every_path_node_has_a_value_under_every_rule(tree):
    values = tree.tables()["node_values"]
    assert len(values) == 3 * len(tree.places) and set(values.node) == set(tree.places)
    assert ((values.low <= values.value) & (values.value <= values.high)).all()


def test_pooled_intervals_are_wilson_intervals(tree):
    rows = of_rule(tree, "pooled")
    low, high = wilson(rows.successes.to_numpy(), rows.visits.to_numpy())
    np.testing.assert_array_equal(rows[["low", "high"]], np.column_stack([low, high]))


def test_nodes_with_one_rollout_are_left_out_unless_on_a_path(tree):
    rows = tree.node_rows()
    lonely = rows[(rows.rollouts < 2) & (rows.parent >= 0)]
    assert set(lonely.parent) <= set(tree.places)


def test_too_few_visits_give_no_score():
    tree = make_tree(CONFIG.model_copy(update={"n_sig": 500}))
    assert "scores" not in score_teachers(tree)


def test_halves_add_up_to_the_tree_and_are_drawn_once(tree):
    again = make_tree()
    for name, halves in tree.halves.items():
        for part in ("counts", "drawn"):
            whole, each = getattr(tree.success[name], part), [getattr(half, part) for half in halves]
            assert (sum(half.visits for half in each) == whole.visits).all()
            assert (sum(half.successes for half in each) == whole.successes).all()
        for one, other in zip(halves, again.halves[name], strict=True):
            np.testing.assert_array_equal(one.value, other.value)


def test_enriched_edges_have_equally_many_rollouts_in_both_halves(tree):
    launched = [half.counts.visits - half.drawn.visits for half in tree.halves["on_policy"]]
    edges = tree.tree.parent >= 0
    assert set(sum(launched)[edges]) == {0, 40}
    assert (abs(launched[0] - launched[1])[edges] <= 1).all()


def test_a_half_is_backed_up_from_its_own_rollouts(tree):
    edge = tree.tree.child(0, 4)
    whole, halves = tree.success["stratified"].value[edge], [half.value[edge] for half in tree.halves["stratified"]]
    assert all(half != whole for half in halves)
    assert np.mean(halves) == pytest.approx(whole, abs=0.15)


def test_scores_by_a_half_are_those_of_its_own_success(tree, tables):
    keys = ["node", "teacher", "objective", "convention"]
    halves = tables["half_scores"].astype({name: object for name in keys}).set_index(["half", *keys]).sort_index()
    root = 0, "up", "reverse_kl", "on_policy-full-off"
    behind = tables["components"].set_index(["node", "convention"]).loc[(root[0], root[3])]
    gradient = tables["gradients"].astype({name: object for name in keys}).set_index(keys).loc[root].teacher_gradient
    children = [tree.tree.child(0, token) for token in behind.tokens.tolist()]
    for half, own in enumerate(tree.halves["on_policy"]):
        ideal = ideal_gradient(behind.p, own.value[children])
        found = halves.loc[(half, *root)]
        assert found.alignment == pytest.approx(float(alignment.cosine(ideal, gradient)), abs=1e-6)
        assert found.success_range == np.ptp(own.value[children])


def test_objectives_of_outcomes_have_no_independent_halves(tables):
    assert set(tables["half_scores"].objective) == {"reverse_kl"}


@pytest.fixture(scope="module")
def sharing():
    return make_tree(CONFIG.model_copy(update={"prior": "siblings"}))


def test_the_prior_changes_intervals_and_nothing_else(sharing, tree):
    ends = ["low", "high"]
    for pooling, changed in (("on_policy", True), ("stratified", True), ("pooled", False)):
        shared, own = of_rule(sharing, pooling), of_rule(tree, pooling)
        pd.testing.assert_frame_equal(shared.drop(columns=ends), own.drop(columns=ends))
        assert (shared[ends] != own[ends]).any().all() == changed
    one, other = (score_teachers(each)["scores"] for each in (sharing, tree))
    ends = ["low", "high", "p_positive", "gain_low", "gain_high", "advantage_low", "advantage_high"]
    pd.testing.assert_frame_equal(one.drop(columns=ends), other.drop(columns=ends))
    pooled = one.convention.str.startswith("pooled")
    pd.testing.assert_frame_equal(one[pooled], other[pooled])
    assert not one[~pooled].equals(other[~pooled])


def test_under_jeffreys_prior_every_edge_has_its_own_interval(tree):
    rows = of_rule(tree, "on_policy")
    low, high = jeffreys(rows.successes.to_numpy(), rows.visits.to_numpy())
    np.testing.assert_array_equal(rows[["low", "high"]], np.column_stack([low, high]))


def test_off_the_paths_nothing_is_shared(sharing, tree):
    shared, own = of_rule(sharing, "on_policy"), of_rule(tree, "on_policy")
    off = ~shared.parent.isin(sharing.places)
    ends = ["low", "high"]
    assert off.any()
    pd.testing.assert_frame_equal(shared[off][ends], own[off][ends])


def test_intervals_of_path_edges_reach_0_or_1_and_contain_the_rate_of_many_visits(sharing):
    rows = of_rule(sharing, "on_policy")
    edges = rows[rows.parent.isin(sharing.places) & (rows.visits > 0)]
    assert (edges.low[edges.successes == 0] == 0).all() and (edges.high[edges.successes == edges.visits] == 1).all()
    often = edges[edges.visits >= 40]
    assert len(often) > 2 and ((often.low <= often.success) & (often.success <= often.high)).all()


def test_only_backed_up_edges_have_other_evidence_than_their_counts(sharing):
    strata = sharing.success["stratified"]
    backed_up = sorted(strata.posterior)
    won, seen = (np.delete(part, backed_up) for part in strata.evidence)
    counts = [np.delete(part, backed_up) for part in (strata.counts.successes, strata.counts.visits)]
    np.testing.assert_array_equal([won, seen], counts)
    assert backed_up
    assert (strata.evidence[1][backed_up] >= strata.counts.visits[backed_up]).all()
