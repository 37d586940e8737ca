"""Continuous batching: the same rollouts as from transformers' own `generate`, and from any other batch."""

import logging

import numpy as np
import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from odd.models.transformers import drawing
from odd.models.transformers.batch import FixedBatch
from odd.models.transformers.continuous_batch import ContinuousBatch, fits
from odd.models.transformers.drawing import BLOCK, draw
from odd.models.transformers.language_model import wrap
from tests.distributions import read_along

SIZE = 90
SMALL = {"vocab_size": SIZE, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "pad_token_id": 0}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.4, "max_position_embeddings": 256}
LAYERS = ["sliding_attention", "full_attention"]
FAMILIES = {
    "Llama": lambda: LlamaForCausalLM(LlamaConfig(**SMALL)),
    "Qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SMALL)),
    "Qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SMALL, head_dim=8)),
    "Gemma3": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**SMALL, head_dim=8, sliding_window=6, layer_types=LAYERS)),
}
END = 7


def model_of(name):
    torch.manual_seed(1)
    model = FAMILIES[name]().eval()
    model.generation_config.eos_token_id = END
    return model


@pytest.fixture(params=FAMILIES)
def model(request):
    return model_of(request.param)


def prefixes(count=24):
    """Return prompts with forced tokens of many lengths, some of them equal."""
    rng = np.random.default_rng(0)
    prompt = rng.integers(1, SIZE, 9).tolist()
    forced = [rng.integers(8, SIZE, length).tolist() for length in (0, 1, 4, 4, 11, 17)]
    return [[*prompt, *forced[i % len(forced)]] for i in range(count)]


def sample(model, rows, limits, width, temperature=1.0, seed=3, sampler=ContinuousBatch):
    uniforms = torch.rand(len(rows), max(limits), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.inference_mode():
        return sampler(model, "m", SIZE, frozenset({END}), temperature).run(rows, limits, uniforms, width)


def test_common_architectures_are_supported(model):
    assert fits(model, SIZE)


@pytest.mark.parametrize("width", [3, 24])
def test_cold_sampling_equals_greedy_generate(model, width):
    rows = prefixes()
    drawn = sample(model, rows, [20] * len(rows), width, temperature=1e-5)
    for prefix, generation in zip(rows[:6], drawn, strict=False):
        wanted = model.generate(
            torch.tensor([prefix]), attention_mask=torch.ones(1, len(prefix)), do_sample=False, max_new_tokens=20
        )
        assert list(generation.token_ids) == wanted[0, len(prefix) :].tolist()


def test_log_probabilities_equal_a_plain_forward_pass(model):
    rows = prefixes()
    for prefix, generation in zip(rows, sample(model, rows, [20] * len(rows), 5), strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([[*prefix, *generation.token_ids]])).logits[0, len(prefix) - 1 : -1]
        own = logits.log_softmax(-1)[range(len(generation.token_ids)), list(generation.token_ids)]
        np.testing.assert_allclose(generation.log_probs, own, atol=1e-4)


def test_samples_do_not_depend_on_the_batch_size(model):
    rows, limits = prefixes(40), [1 + 7 * i % 29 for i in range(40)]
    drawn = [[g.token_ids for g in sample(model, rows, limits, width)] for width in (1, 4, 11, 40)]
    assert all(other == drawn[0] for other in drawn)
    assert any(tokens[-1] == END for tokens in drawn[0]) and len(set(map(len, drawn[0]))) > 5


def test_waiting_rollouts_enter_where_others_end(tiny):
    prompt = tiny.tokenizer.encode_chat([{"role": "user", "content": "What is 3+4-2?"}])
    limits = [1 + 5 * i % 23 for i in range(30)]
    together, waiting = (tiny.sampler.sample([prompt] * 30, limits, 1.0, 2, size) for size in (None, 8))
    assert [one.token_ids for one in together] == [one.token_ids for one in waiting]


def test_prefixes_may_have_no_common_prefix():
    model = model_of("Qwen3")
    rows = [[first, *prefix] for first, prefix in zip((3, 4, 5), prefixes(3), strict=True)]
    fast, plain = (sample(model, rows, [12] * 3, 2, sampler=sampler) for sampler in (ContinuousBatch, FixedBatch))
    assert [g.token_ids for g in fast] == [g.token_ids for g in plain]


def test_a_model_with_custom_attention_uses_the_fallback(tiny, caplog):
    torch.manual_seed(0)
    size = tiny.scorer.vocabulary_size
    alibi = BloomForCausalLM(BloomConfig(vocab_size=size, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.3))
    alibi.generation_config.eos_token_id = tiny.tokenizer.tokenizer.eos_token_id
    assert not fits(alibi.eval(), size)
    with caplog.at_level(logging.WARNING):
        model = wrap("alibi", alibi, tiny.tokenizer.tokenizer)
        drawn = model.sampler.sample([[5, 6, 7], [5, 6]], [4, 6], 1.0, 0)
    assert [len(one.token_ids) for one in drawn] == [4, 6]
    assert "'alibi'" in caplog.text
    rows = [(8, 9, 10), (8, 9), ()]
    expected = [model.scorer.log_probs([5, 6], row) for row in rows]
    read, taken = read_along(model.scorer, [5, 6], rows), model.scorer.token_log_probs([5, 6], rows, (1.0,))
    for one, whole, other, row in zip(read, expected, taken, rows, strict=True):
        np.testing.assert_array_equal(one, whole)
        np.testing.assert_array_equal(other[0], whole[np.arange(len(row)), list(row)])


@pytest.mark.parametrize("size", [5, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_tokens_come_from_the_inverse_cumulative_distribution(size):
    torch.manual_seed(size)
    logits, uniforms = 3 * torch.randn(500, size), torch.rand(500, dtype=torch.float64)
    tokens, log_probs = draw(logits, uniforms)
    exact = logits.double().softmax(-1)
    above = exact.cumsum(-1).gather(1, tokens[:, None])[:, 0]
    below = above - exact.gather(1, tokens[:, None])[:, 0]
    assert ((below <= uniforms + 1e-6) & (uniforms <= above + 1e-6)).all()
    torch.testing.assert_close(log_probs.double(), exact.gather(1, tokens[:, None])[:, 0].log(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
def test_tokens_with_probability_zero_are_never_drawn(uniform):
    logits = torch.full((1, 2 * BLOCK + 9), float("-inf"))
    logits[0, [3, BLOCK + 5]] = torch.tensor([0.0, -30.0])
    tokens, log_probs = draw(logits, torch.tensor([uniform], dtype=torch.float64))
    assert tokens.item() in (3, BLOCK + 5)
    assert log_probs.isfinite().all()


def test_samples_do_not_depend_on_the_pieces_of_a_batch(monkeypatch):
    torch.manual_seed(0)
    logits, uniforms = torch.randn(7, 3 * BLOCK), torch.rand(7, dtype=torch.float64)
    whole = draw(logits, uniforms, 0.7)
    monkeypatch.setattr(drawing, "ENTRIES", 2 * logits.shape[1])
    for one, other in zip(draw(logits, uniforms, 0.7), whole, strict=True):
        assert torch.equal(one, other)
