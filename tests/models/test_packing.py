"""Linear layers with oneDNN give the same results as without."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from odd.models.transformers import packing
from odd.models.transformers.packing import packed

SMALL = {"vocab_size": 90, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.4}


@pytest.fixture(params=[(LlamaForCausalLM, LlamaConfig), (Qwen2ForCausalLM, Qwen2Config)])
def model(request, monkeypatch):
    """A small model in which every layer is large enough for oneDNN."""
    monkeypatch.setattr(packing, "SMALLEST", 1)
    monkeypatch.setattr(packing, "LEAST_WORK", 1)
    torch.manual_seed(0)
    kind, config = request.param
    return kind(config(**SMALL)).eval()


def logits(model):
    with torch.inference_mode():
        return model(torch.arange(1, 41).view(2, 20)).logits


def inside(model):
    with packed(model):
        replaced = sum("forward" in vars(layer) for layer in model.modules())
        return logits(model), replaced


def test_logits_are_the_same(model):
    found, replaced = inside(model)
    assert replaced == 2 * 7 + 1
    torch.testing.assert_close(found, logits(model), atol=1e-4, rtol=1e-4)


def test_changed_weights_are_copied_again(model):
    before, _ = inside(model)
    with torch.no_grad():
        model.lm_head.weight.mul_(2)
    found, _ = inside(model)
    assert not torch.allclose(found, before)
    torch.testing.assert_close(found, logits(model), atol=1e-4, rtol=1e-4)


def test_layers_are_restored_afterwards(model):
    inside(model)
    assert not any("forward" in vars(layer) for layer in model.modules())
    model(torch.tensor([[1, 2, 3]])).logits.sum().backward()
    assert model.lm_head.weight.grad is not None


@pytest.mark.parametrize(("limit", "value"), [("SMALLEST", 1 << 20), ("MOST_BYTES", 1000)])
def test_small_layers_and_large_models_are_left_unchanged(model, monkeypatch, limit, value):
    monkeypatch.setattr(packing, limit, value)
    assert inside(model)[1] == 0


def test_without_the_operators_layers_are_left_unchanged(model, monkeypatch):
    monkeypatch.setattr(packing, "OPERATORS", ("_none_of_this_name",))
    found, replaced = inside(model)
    assert replaced == 0
    torch.testing.assert_close(found, logits(model))


class Calls(TorchDispatchMode):
    """Names of the operators that are called."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(str(func))
        return func(*args, **kwargs or {})


@pytest.mark.parametrize(("more", "by_onednn"), [(0, 1), (1, 0)])
def test_onednn_is_used_only_for_enough_work(model, monkeypatch, more, by_onednn):
    monkeypatch.setattr(packing, "LEAST_WORK", 40 * model.lm_head.weight.numel() + more)  # the head is the largest
    with Calls() as calls:
        inside(model)
    assert sum("_linear_pointwise" in name for name in calls.names) == by_onednn
