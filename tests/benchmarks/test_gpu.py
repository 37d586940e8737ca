"""The checks of a device, on the CPU itself: without a GPU only their arithmetic can be tested."""

import torch

from benchmarks import gpu
from odd.config import ModelConfig
from odd.models.transformers.language_model import load


def test_a_cpu_agrees_with_itself(tmp_path):
    model = load(ModelConfig(name="tiny-s"), tmp_path)
    found = gpu.compare(model, "tiny-s", "cpu", "float32", 8)
    assert found.holds and found.difference == 0


def test_a_sampler_of_other_distributions_fails(tmp_path, monkeypatch):
    model = load(ModelConfig(name="tiny-s"), tmp_path)
    sampler = type(model.sampler)
    sample = sampler.sample
    monkeypatch.setattr(sampler, "sample", lambda self, p, n, temperature, seed: sample(self, p, n, 3.0, seed))
    assert not gpu.compare(model, "tiny-s", "cpu", "float32", 32).holds


def test_a_machine_without_cuda_is_told_so(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu"])
    assert gpu.main() == 2
    assert "no CUDA device" in capsys.readouterr().out
