"""Many continuations of one prefix give the same scores as one by one, and each distinct token is read once."""

import numpy as np
import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM

from odd.errors import OddError
from odd.models.tabular import TabularModel
from odd.models.transformers import prefix_tree
from odd.models.transformers.head import SIDE_BY_SIDE, LastLayer
from odd.models.transformers.language_model import wrap
from odd.models.transformers.prefix_tree import PrefixTree, TreePlaces, prefix_trees
from tests.distributions import read_along
from tests.models.test_transformers import ARCHITECTURES, other, prompt

TEMPERATURES = (0.5, 1.0, 2.0)
SEVERAL = [(), (4,), (4, 5), (4, 5, 6, 9), (4, 5, 7), (4, 8), (3, 5, 6), (4, 5, 6, 9)]


def continuations(tiny):
    """Continuations of many lengths, some equal, some with a common prefix, one empty."""
    drawn = [
        generation.token_ids for generation in tiny.sampler.sample([prompt(tiny)] * 12, [3, 30, 17] * 4, 1.0, seed=2)
    ]
    return [*drawn, (), drawn[0], (*drawn[1][:9], *drawn[2][:5]), drawn[1][:1], drawn[1][:12]]


def model_called(tiny, name):
    torch.manual_seed(0)
    return tiny if name == "tiny" else other(tiny, name, ARCHITECTURES[name](tiny.scorer.vocabulary_size))


def one_by_one(model, prefix, rows):
    return [
        np.array([model.scorer.log_probs(prefix, row, t)[np.arange(len(row)), list(row)] for t in TEMPERATURES])
        for row in rows
    ]


def assert_close(read, expected):
    assert [r.shape for r in read] == [e.shape for e in expected]
    for one, other_ in zip(read, expected, strict=True):
        np.testing.assert_allclose(one, other_, atol=1e-4)


@pytest.mark.parametrize("name", ["tiny", *ARCHITECTURES])
def test_token_scores_equal_one_by_one_scoring(tiny, name):
    model, rows = model_called(tiny, name), continuations(tiny)
    assert_close(model.scorer.token_log_probs(prompt(tiny), rows, TEMPERATURES), one_by_one(model, prompt(tiny), rows))


@pytest.mark.parametrize("name", ["tiny", *ARCHITECTURES])
def test_distributions_equal_one_by_one_scoring(tiny, name):
    model, rows = model_called(tiny, name), continuations(tiny)
    assert_close(
        read_along(model.scorer, prompt(tiny), rows, 0.7),
        [model.scorer.log_probs(prompt(tiny), row, 0.7) for row in rows],
    )


@pytest.mark.parametrize("nodes", [1, 20])
@pytest.mark.parametrize("name", ["tiny", *ARCHITECTURES])
def test_a_small_scoring_memory_changes_nothing(tiny, name, nodes, monkeypatch):
    model, rows = model_called(tiny, name), continuations(tiny)
    monkeypatch.setattr(prefix_tree, "MOST_NODES", nodes)
    monkeypatch.setattr(type(model.scorer), "room", 9)
    assert_close(model.scorer.token_log_probs(prompt(tiny), rows, TEMPERATURES), one_by_one(model, prompt(tiny), rows))


def test_scoring_is_deterministic_bit_for_bit(tiny):
    rows = continuations(tiny)
    one, again = (tiny.scorer.token_log_probs(prompt(tiny), rows, (1.0,)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, again, strict=True))


def test_the_model_computes_no_more_logits_than_fit_in_memory(tiny, monkeypatch):
    rows = continuations(tiny)
    read_along(tiny.scorer, prompt(tiny), rows)  # probes the model
    asked = []
    logits = LastLayer.logits
    monkeypatch.setattr(LastLayer, "logits", lambda last, states: asked.append(len(states)) or logits(last, states))
    monkeypatch.setattr(type(tiny.scorer), "room", 9 * SIDE_BY_SIDE)
    read_along(tiny.scorer, prompt(tiny), rows)
    assert max(asked) == 9
    tokens = {row[:n] for row in rows for n in range(1, len(row))}
    assert sum(asked) == 1 + len(tokens)


def test_a_model_that_clips_its_logits_is_read_whole(tiny):
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    heads = {"num_key_value_heads": 1, "head_dim": 8, "final_logit_softcapping": 2.0}
    model = other(
        tiny, "gemma", Gemma2ForCausalLM(Gemma2Config(vocab_size=tiny.scorer.vocabulary_size, **shape, **heads))
    )
    assert model.scorer.head.last.layer is None and tiny.scorer.head.last.layer is not None
    rows = continuations(tiny)
    assert_close(model.scorer.token_log_probs(prompt(tiny), rows, TEMPERATURES), one_by_one(model, prompt(tiny), rows))


@pytest.mark.parametrize("name", ["tiny", *ARCHITECTURES])
def test_a_recording_gives_the_distributions_of_the_model_bit_for_bit(tiny, name, monkeypatch):
    model, rows = model_called(tiny, name), continuations(tiny)
    monkeypatch.setattr(type(model.scorer), "room", 40)
    read = list(model.scorer.read(prompt(tiny), rows, 0.7))
    recorded = list(model.scorer.record(prompt(tiny), rows, 0.7).read())
    assert [part.tobytes() for part in read] == [part.tobytes() for part in recorded]


def test_the_scoring_memory_limits_the_logits_per_pass(tiny):
    model = wrap("m", tiny.scorer.model, tiny.tokenizer.tokenizer, scoring_memory=3)
    size = tiny.scorer.vocabulary_size
    assert 4 * size * model.scorer.room <= 3 << 20 < 4 * size * (model.scorer.room + 1)


@pytest.fixture
def passes(tiny):
    """Tokens of every forward pass."""
    assert tiny.sampler._shares_prompts  # probing the model does not count
    counts = []
    hook = tiny.scorer.model.base_model.register_forward_pre_hook(
        lambda _, __, settings: counts.append(settings["input_ids"].numel()), with_kwargs=True
    )
    yield counts
    hook.remove()


def test_a_prompt_and_the_only_tree_after_it_are_read_in_one_pass(tiny, passes):
    read_along(tiny.scorer, prompt(tiny), SEVERAL)
    assert passes == [len(prompt(tiny)) + len({row[:n] for row in SEVERAL for n in range(1, len(row))})]


def test_a_prompt_of_several_trees_is_read_once(tiny, passes, monkeypatch):
    monkeypatch.setattr(prefix_tree, "MOST_NODES", 4)
    trees = [len(tree) for tree in prefix_trees(SEVERAL)]
    read_along(tiny.scorer, prompt(tiny), SEVERAL)
    assert len(trees) > 1 and passes == [len(prompt(tiny)), *(nodes for nodes in trees if nodes)]


def test_a_tree_contains_each_token_that_another_one_follows_once():
    tree = PrefixTree(sorted({row for row in SEVERAL if row}))
    assert len(tree) == len({row[:n] for row in SEVERAL for n in range(1, len(row))})


def test_the_ancestors_of_a_node_are_the_prefix_of_its_continuations():
    tree = PrefixTree(sorted({row for row in SEVERAL if row}))
    places = TreePlaces(tree, 0, len(tree), 3, torch.device("cpu"))
    seen = ~places.hidden(None)[1][0, 0]
    for tokens, rows in tree.rows.items():
        for length, row in enumerate(rows):
            chain = seen[row - 1].nonzero()[:, 0].tolist() if row else []
            assert tuple(tree.tokens[node] for node in chain) == tokens[:length]


def test_trees_contain_every_continuation_once_and_respect_the_node_limit(monkeypatch):
    monkeypatch.setattr(prefix_tree, "MOST_NODES", 4)
    trees = list(prefix_trees(SEVERAL))
    held = [row for tree in trees for row in tree.rows]
    assert sorted(held) == sorted({row for row in SEVERAL if row})
    assert len(trees) > 1
    assert all(len(tree) <= 4 for tree in trees)


def test_the_tabular_model_reads_what_it_scores():
    model = TabularModel({(7,): {(): np.array([0.2, 0.8]), (1,): np.array([0.5, 0.5])}})
    read = model.token_log_probs((7, 1), [(0,), (1,), ()], (1.0, 2.0))
    assert [rows.shape for rows in read] == [(2, 1), (2, 1), (2, 0)]
    np.testing.assert_allclose(read[0], np.log(0.5), rtol=1e-6)


def test_requests_beyond_the_window_are_rejected(tiny):
    with pytest.raises(OddError, match="do not fit"):
        tiny.scorer.token_log_probs(prompt(tiny), [(1,) * 5000], (1.0,))
