"""Estimate success after a prefix far more precisely than by rollouts, by splitting samples over tokens.

`samples` virtual rollouts start at the prefix. At each node with n of them, the student's distribution divides them
among the next tokens: token k gets n P_theta^k of them, rounded up or down with one uniform number per node such that
the expectation is exact (systematic resampling, as in Kitagawa, J. Comput. Graph. Stat. 5, 1996, and in the splitting
of Markov chains by common prefixes). Each prefix is computed once. The share of correct responses is an unbiased
estimate of the success. Its variance decreases faster than 1 / samples, because only events rarer than one in `samples`
are left to chance; independent repetitions estimate it.

With a small budget this is arithmetic sampling (Vilnis et al., ICML 2023), which also spreads draws evenly. The command
compares it with ordinary rollouts at as many samples as an edge usually gets, at edges spread over each question:

    python -m benchmarks.split_sampling [--samples 100] [--repetitions 10] [--edges 5]
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from odd.models.transformers.language_model import TransformersModel
from odd.models.transformers.shared_prompt import Places, SharedPromptCache, attending, read_prompt


class Estimated(NamedTuple):
    """Share of the samples that are correct, and number of tokens computed."""

    success: float
    tokens: int


@torch.inference_mode()
def success_by_splitting(
    student: TransformersModel,
    prefix: Sequence[int],
    limit: int,
    samples: int,
    correct: Callable[[tuple[int, ...]], bool],
    generator: torch.Generator,
) -> Estimated:
    """Estimate how often a response that starts with a prefix is correct.

    Args:
        student: the model, at temperature 1.
        prefix: token ids of the prompt and the start of the response.
        limit: maximum number of further tokens; a response without an end token by then is wrong.
        samples: number of virtual rollouts.
        correct: whether the tokens after the prefix, including the end token, make it correct.
        generator: source of the uniform numbers.
    """
    size, ends = student.scorer.vocabulary_size, torch.tensor(sorted(student.tokenizer.end_tokens))
    read, logits = read_prompt(student.scorer.model, prefix)
    cache = SharedPromptCache(read, len(prefix), 1)
    count, tokens = torch.tensor([samples]), torch.zeros(1, 0, dtype=torch.long)
    right = computed = 0
    with attending(student.scorer.model):
        for step in range(limit):
            row, token, count = split(logits[:, :size].double().softmax(-1), count, generator)
            computed += len(row)
            tokens = torch.cat([tokens[row], token[:, None]], dim=1)
            ended = torch.isin(token, ends)
            finished = zip(tokens[ended].tolist(), count[ended].tolist(), strict=True)
            right += sum(weight for response, weight in finished if correct(tuple(response)))
            row, token, tokens, count = row[~ended], token[~ended], tokens[~ended], count[~ended]
            if not len(row) or step == limit - 1:
                break
            cache.keep(row)
            cache.places = places = Places(None, torch.full((len(row), 1), step), len(prefix), step + 1)
            logits = student.scorer.model(
                input_ids=token[:, None], position_ids=places.positions, past_key_values=cache, use_cache=True
            ).logits[:, -1]
    return Estimated(right / samples, computed)


def split(
    p: torch.Tensor, count: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Divide the samples of each row among its tokens; return row, token and count wherever the count is positive.

    Args:
        p: distributions, float64 (N, V).
        count: samples of each row, (N,).
        generator: source of the uniform numbers.
    """
    uniform = torch.rand(len(p), 1, generator=generator, dtype=torch.float64)
    cumulative = p.cumsum(-1)
    reached = (cumulative / cumulative[:, -1:] * count[:, None] + uniform).floor().long()
    reached[:, -1] = count  # the sum is exactly 1; rounding must not lose a sample
    shares = torch.diff(reached, dim=-1, prepend=torch.zeros(len(p), 1, dtype=torch.long)).clamp(min=0)
    row, token = shares.nonzero(as_tuple=True)
    return row, token, shares[row, token]


def repeated(estimate: Callable[[], float], repetitions: int) -> tuple[float, float]:
    """Return the mean of independent estimates and its standard error."""
    values = np.array([estimate() for _ in range(repetitions)])
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(repetitions))


def main() -> None:
    """Compare with the same number of rollouts, at edges spread over each question."""
    from benchmarks.ground_truth import load, studied_questions  # imports this module

    parser = argparse.ArgumentParser(prog="python -m benchmarks.split_sampling")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--edges", type=int, default=5)
    chosen = parser.parse_args()
    for bank, studied in zip(load(), studied_questions(), strict=False):
        uncertain = np.flatnonzero((bank.success > 0.02) & (bank.success < 0.98))
        picked = uncertain[np.linspace(0, len(uncertain) - 1, chosen.edges).astype(int)]
        variances, tokens = [], []
        for edge in picked.tolist():
            response, p = studied.order[edge], bank.success[edge]
            generator, prefix = torch.Generator().manual_seed(edge), (*studied.prompt, *response)
            limit = studied.limit(response)
            correct = partial(_correct_after, studied.correct, response)
            runs = [
                success_by_splitting(studied.student, prefix, limit, chosen.samples, correct, generator)
                for _ in range(chosen.repetitions)
            ]
            variances.append(np.mean([(run.success - p) ** 2 for run in runs]) / (p * (1 - p) / chosen.samples))
            tokens.append(np.mean([run.tokens for run in runs]) / (chosen.samples * bank.tokens[edge].mean()))
        print(
            f"{studied.question.id}: {studied.length:.0f} tokens per rollout; {chosen.samples} samples have "
            f"{np.mean(variances):.2f} of the variance and {np.mean(tokens):.2f} of the tokens of as many rollouts"
        )


def _correct_after(correct: Callable[[tuple[int, ...]], bool], before: tuple[int, ...], rest: tuple[int, ...]) -> bool:
    return correct((*before, *rest))


if __name__ == "__main__":
    main()
