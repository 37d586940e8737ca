"""Success by splitting samples over tokens: unbiased, and exact where all responses can be enumerated."""

import numpy as np
import pytest
import torch

from benchmarks.split_sampling import repeated, split, success_by_splitting
from odd.config import ModelConfig, load_config
from odd.models.registry import load_model


@pytest.fixture(scope="module")
def student():
    return load_model(ModelConfig(name="tiny-s"), load_config().cache)


@pytest.fixture(scope="module")
def prompt(student):
    return student.tokenizer.encode_chat([{"role": "user", "content": "What is 2+3?"}])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_every_sample_goes_somewhere_and_each_token_gets_its_share_rounded():
    p = torch.distributions.Dirichlet(torch.full((7,), 0.5, dtype=torch.float64)).sample((50,))
    count = torch.arange(1, 51)
    row, token, shares = split(p, count, seeded())
    dense = torch.zeros(50, 7, dtype=torch.long)
    dense[row, token] = shares
    assert (dense.sum(1) == count).all()
    assert ((dense - p * count[:, None]).abs() < 1).all()


def test_the_shares_are_right_on_average():
    p = torch.tensor([[0.05, 0.15, 0.8]], dtype=torch.float64).expand(20_000, 3)
    row, token, shares = split(p, torch.ones(20_000, dtype=torch.long), seeded())
    assert np.bincount(token.numpy(), weights=shares.numpy()) / 20_000 == pytest.approx([0.05, 0.15, 0.8], abs=0.01)
    assert len(row) == 20_000


def test_the_success_of_a_first_token_is_its_probability(student, prompt):
    first = np.exp(student.scorer.log_probs(prompt, (student.tokenizer.end_token,))[0].astype(float))
    likely = int(first.argmax())
    found = success_by_splitting(student, prompt, 64, 500, lambda response: response[0] == likely, seeded()).success
    # responses that do not end within the limit are wrong, however they start
    ended = success_by_splitting(student, prompt, 64, 500, lambda response: True, seeded()).success
    assert found <= ended <= 1
    assert found == pytest.approx(first[likely] * ended, abs=0.05)


def test_it_agrees_with_rollouts(student, prompt):
    def right(response):
        return student.tokenizer.decode(response).rstrip().endswith("5")

    drawn = student.sampler.sample([prompt] * 1500, [64] * 1500, 1.0, 1, 256)
    rate = np.mean([not one.truncated and right(one.token_ids) for one in drawn])
    generator = seeded()
    mean, error = repeated(lambda: success_by_splitting(student, prompt, 64, 300, right, generator).success, 4)
    assert abs(mean - rate) < 4 * np.hypot(error, np.sqrt(rate * (1 - rate) / 1500)) + 1e-3


def test_common_prefixes_of_samples_are_computed_once(student, prompt):
    def tokens(samples, seed):
        return success_by_splitting(student, prompt, 64, samples, lambda _: True, seeded(seed)).tokens

    alone = [tokens(1, seed) for seed in range(20)]
    assert max(alone) <= tokens(20, 0) < 0.9 * sum(alone)


def test_the_error_is_that_of_the_mean():
    values = iter([1.0, 2.0, 3.0, 6.0])
    assert repeated(lambda: next(values), 4) == pytest.approx((3.0, np.std([1, 2, 3, 6], ddof=1) / 2))
