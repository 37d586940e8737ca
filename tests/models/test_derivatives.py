"""Derivatives of a transformers model, against autograd on models that can be enumerated."""

import copy

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad

from odd.errors import OddError
from odd.models.transformers import derivatives
from tests.models.enumerable import (
    ARCHITECTURES,
    PROMPT,
    RESPONSES,
    SIZE,
    derivatives_of,
    enumerable,
    flat,
    log_probs_of,
)

SOME = [RESPONSES[i] for i in (2, 30, 11, 25)]


def moves_of(found, responses, direction, temperature=1.0):
    """Moves along a direction by prefix."""
    moves = {}
    for one in found.passes(PROMPT, responses, temperature, [direction]):
        for part in one.slices():
            for (number, position), move in zip(one.places[part.at], part.moves[0], strict=True):
                moves[responses[number][:position]] = move
    return moves


def pulled(found, responses, weigh, temperature=1.0):
    """Gradient in the weights of the sum over prefixes of the dot product of log-probabilities and `weigh`."""
    total = 0
    for one in found.passes(PROMPT, responses, temperature, pairs=1):
        for part in one.slices():
            given = np.stack([weigh(responses[n][:position]) for n, position in one.places[part.at]])
            one.pull(part.at, given[None] - np.exp(part.log_p) * given.sum(-1, keepdims=True)[None])
        total = total + one.gradients()[0]
    return total


def direction_of(found, seed=1):
    return np.random.default_rng(seed).normal(size=found.size).astype(np.float32)


def weigh(prefix):
    """Arbitrary weights of the four tokens after a prefix."""
    return np.random.default_rng([5, *prefix]).normal(size=SIZE)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_moves_are_the_jacobian_times_the_direction(name, temperature):
    model = enumerable(name)
    found = derivatives_of(model)
    direction = direction_of(found)
    moves = moves_of(found, SOME, direction, temperature)
    weights = list(model.parameters())
    for response in SOME:
        for position, row in enumerate(log_probs_of(model, response, temperature)):
            jacobian = [flat(torch.autograd.grad(entry, weights, retain_graph=True)) for entry in row]
            expected = torch.stack(jacobian).numpy() @ direction
            np.testing.assert_allclose(moves[tuple(response[:position])], expected, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_gradients_pull_back_to_those_of_autograd(name, temperature):
    model = enumerable(name)
    prefixes = {response[:position]: response for response in SOME for position in range(len(response))}
    total = sum(
        (log_probs_of(model, response, temperature)[len(prefix)] * torch.tensor(weigh(prefix))).sum()
        for prefix, response in prefixes.items()
    )
    expected = flat(torch.autograd.grad(total, list(model.parameters()))).numpy()
    np.testing.assert_allclose(pulled(derivatives_of(model), SOME, weigh, temperature), expected, atol=2e-4, rtol=2e-4)


def test_distributions_are_the_models():
    model = enumerable()
    for one in derivatives_of(model).passes(PROMPT, SOME, 1.0):
        for part in one.slices():
            for (number, position), log_p in zip(one.places[part.at], part.log_p, strict=True):
                expected = log_probs_of(model, SOME[number])[position].detach().numpy()
                np.testing.assert_allclose(log_p, expected, atol=1e-5)


def test_neither_order_nor_padding_nor_the_size_of_passes_matters(monkeypatch):
    found = derivatives_of(enumerable())
    direction = direction_of(found)
    together, gradient = moves_of(found, SOME, direction), pulled(found, SOME, weigh)
    monkeypatch.setattr(derivatives, "PASS", 1)
    small = derivatives_of(enumerable(), memory=1)
    for responses in (SOME, SOME[::-1]):
        alone = moves_of(small, responses, direction)
        assert alone.keys() == together.keys()
        for prefix, move in alone.items():
            np.testing.assert_allclose(move, together[prefix], atol=1e-4)
        np.testing.assert_allclose(pulled(small, responses, weigh), gradient, atol=1e-4)


def test_steps_replace_a_missing_forward_derivative(monkeypatch):
    found = derivatives_of(enumerable())
    direction = direction_of(found)
    exact = moves_of(found, SOME, direction)

    def missing(*_):
        raise NotImplementedError

    monkeypatch.setattr(forward_ad, "make_dual", missing)
    stepped = moves_of(found, SOME, direction)
    assert exact.keys() == stepped.keys()
    largest = max(np.abs(move).max() for move in exact.values())
    for prefix, move in stepped.items():
        np.testing.assert_allclose(move, exact[prefix], atol=0.005 * largest)


def test_steps_that_disagree_are_refused(monkeypatch):
    found = derivatives_of(enumerable())
    monkeypatch.setattr(forward_ad, "make_dual", lambda *_: (_ for _ in ()).throw(NotImplementedError))
    monkeypatch.setattr(derivatives, "STEP", 1000.0)
    with pytest.raises(OddError, match=r"differs by \d+.*% between two step sizes"):
        moves_of(found, SOME, direction_of(found))


@pytest.mark.parametrize("pattern", ["layers.0", "lm_head"])
def test_a_pattern_restricts_the_weights(pattern):
    model = enumerable()
    every, some = derivatives_of(model), derivatives_of(model, pattern)
    kept = np.concatenate([np.full(one.numel(), pattern in name) for name, one in model.named_parameters()])
    direction = direction_of(every) * kept
    assert some.size == kept.sum() < every.size
    both = moves_of(every, SOME, direction), moves_of(some, SOME, direction[kept])
    for prefix, move in both[0].items():
        np.testing.assert_allclose(both[1][prefix], move, atol=1e-5)
    np.testing.assert_allclose(pulled(some, SOME, weigh), pulled(every, SOME, weigh)[kept], atol=1e-5)


def test_a_pattern_without_weights_is_an_error():
    with pytest.raises(OddError, match=r"no weights that match 'lora'; some of its names are model\.embed_tokens"):
        derivatives_of(enumerable(), "lora")


def test_derivatives_of_a_model_in_bfloat16_are_in_float32():
    rounded = copy.deepcopy(enumerable()).bfloat16()
    whole = copy.deepcopy(rounded).float()
    direction = direction_of(derivatives_of(whole))
    both = [moves_of(derivatives_of(model), SOME, direction) for model in (rounded, whole)]
    for prefix, move in both[0].items():
        assert move.dtype == np.float32
        np.testing.assert_allclose(move, both[1][prefix], atol=1e-4)


def test_the_model_attends_as_before():
    model = enumerable()
    before = model.config._attn_implementation
    moves_of(derivatives_of(model), SOME, direction_of(derivatives_of(model)))
    assert model.config._attn_implementation == before
