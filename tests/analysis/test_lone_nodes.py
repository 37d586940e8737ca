"""Tables of a tree that does not hold the nodes of a single rollout, against plain counts and the whole tree."""

import tracemalloc
from collections import Counter

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from odd.analysis import question_tree
from odd.analysis.question_tree import QuestionTree
from odd.analysis.teacher_scores import score_teachers
from odd.config import AnalysisConfig, objective
from odd.method.success import edge_counts, natural
from odd.method.tree import build_tree
from odd.rollouts.cutting import cut, drawn_whole
from odd.rollouts.sampling import Rollout
from tests.distributions import rows_along

CONFIG = AnalysisConfig(n_sig=2, posterior_draws=50, objectives=(objective("reverse_kl"), objective("dr_grpo")))
VOCABULARY = 3
TOKENS = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=5)
PATHS = st.lists(TOKENS, min_size=1, max_size=2)
LAUNCHED = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, VOCABULARY - 1), TOKENS, st.booleans()), max_size=12
)
RULES = {"on_policy": lambda launch, depth: depth >= launch, "pooled": lambda launch, depth: True}


def rollout(tokens, launch, correct):
    ids, stage = np.array(tokens, np.int32), "targeted" if launch else "initial"
    return Rollout(stage, 0, launch, ids, np.zeros(len(ids), np.float32), "", "", correct, False)


def made(paths, launched):
    """Rollouts: the paths, one more of the first, and some that were launched from a prefix of a path."""
    rollouts = [rollout(tokens, 0, i == 0) for i, tokens in enumerate([*paths, paths[0]])]
    for path, position, token, rest, correct in launched:
        prefix = [*paths[path % len(paths)][:position], token]
        rollouts.append(rollout([*prefix, *rest], len(prefix), correct))
    return rollouts


def tree_of(paths, rollouts):
    rng = np.random.default_rng(3)
    log_p, log_q = (
        [np.log(rng.dirichlet(np.ones(VOCABULARY), len(tokens))).astype(np.float32) for tokens in paths] for _ in "pq"
    )
    rows = rows_along(paths, log_p, {"te": log_q}, CONFIG.objectives)
    return QuestionTree("q", rollouts, range(len(paths)), rows, CONFIG)


@given(PATHS, LAUNCHED)
@settings(max_examples=60, deadline=None)
def test_counts_are_those_of_the_rollouts_with_the_prefix_of_a_node(paths, launched):
    rollouts = made(paths, launched)
    tables = tree_of(paths, rollouts).tables()
    prefixes = sorted({tuple(one.token_ids[:t].tolist()) for one in rollouts for t in range(len(one.token_ids) + 1)})
    prefixes.sort(key=len)
    number = {prefix: i for i, prefix in enumerate(prefixes)}
    through = Counter(tuple(one.token_ids[:t].tolist()) for one in rollouts for t in range(len(one.token_ids) + 1))
    on_path = {tuple(tokens[:t]) for tokens in paths for t in range(len(tokens))}
    stored = [prefix for prefix in prefixes if through[prefix] > 1 or not prefix or prefix[:-1] in on_path]
    nodes = tables["nodes"]
    assert nodes["node"].tolist() == [number[prefix] for prefix in stored]
    assert nodes["parent"].tolist() == [number[prefix[:-1]] if prefix else -1 for prefix in stored]
    assert nodes["rollouts"].tolist() == [through[prefix] for prefix in stored]
    for name, counts in RULES.items():
        own = tables["success"].query(f"pooling == '{name}'")
        each = [
            [one.correct for one in rollouts if one.starts_with(prefix) and counts(one.launch, len(prefix))]
            for prefix in stored
        ]
        assert own["visits"].tolist() == list(map(len, each)) and own["successes"].tolist() == list(map(sum, each))


@given(PATHS, LAUNCHED)
@settings(max_examples=30, deadline=None)
def test_tables_of_cut_rollouts_are_those_of_whole_ones(paths, launched):
    rollouts = made(paths, launched)
    tree = tree_of(paths, rollouts)
    initial, targeted = rollouts[: len(paths) + 1], rollouts[len(paths) + 1 :]
    shorter = cut(targeted, tree.tree.kept[len(initial) :], drawn_whole("q", targeted, 0, 1))
    assert [one.length for one in shorter] == [one.length for one in targeted]
    other = tree_of(paths, [*initial, *shorter])
    for one, expected in ((tree.tables(), other.tables()), (score_teachers(tree), score_teachers(other))):
        for name, frame in one.items():
            pd.testing.assert_frame_equal(frame, expected[name], check_exact=True)


def test_memory_follows_from_shared_nodes_and_not_from_tokens():
    rng, length = np.random.default_rng(0), 1000
    path = rng.integers(1000, size=length, dtype=np.int32)
    tokens = [
        path,
        *(np.append(path[: n % length], rng.integers(1000, size=length, dtype=np.int32)) for n in range(800)),
    ]
    launch = np.array([0, *(n % length + 1 for n in range(800))])
    given = sum(ids.nbytes for ids in tokens)
    tracemalloc.start()
    tree = build_tree(tokens, np.where(np.arange(len(tokens)) == 0, length, launch))
    counts = edge_counts(tree, launch, np.ones(len(tokens), bool), natural)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert tree.number[-1] > 400_000 and tree.size < 3000 and counts.visits.sum() > 0
    assert peak < 2.5 * given


@given(PATHS, LAUNCHED)
@settings(max_examples=30, deadline=None)
def test_all_tables_are_those_of_the_whole_tree(paths, launched):
    rollouts = made(paths, launched)
    tree = tree_of(paths, rollouts)
    tables = tree.tables() | score_teachers(tree)
    held = question_tree.build_tree
    question_tree.build_tree = lambda token_ids, down_to, lengths: build_tree(token_ids)
    try:
        whole = tree_of(paths, rollouts)
        expected = whole.tables() | score_teachers(whole)
    finally:
        question_tree.build_tree = held
    assert tables.keys() == expected.keys()
    for name, frame in tables.items():
        pd.testing.assert_frame_equal(frame, expected[name], check_exact=True)
