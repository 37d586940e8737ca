"""Drawing tokens: one uniform number a row and the inverse of the cumulative distribution."""

import torch

BLOCK = 256
"""Tokens that are summed before they are searched one by one."""


def draw(logits: torch.Tensor, uniforms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a token from each row's softmax.

    The whole vocabulary is passed over once for the exponentials and once for their sums by block; the cumulative
    distribution is made of the sums, and of the tokens of one block.

    Args:
        logits: float32 (N, V), divided by the temperature.
        uniforms: float64 (N,) in [0, 1).

    Returns:
        Tokens (N,) and their log-probabilities, float32 (N,); those are no numbers where a logit is none.
    """
    rows, size = logits.shape
    largest = logits.amax(dim=-1, keepdim=True)
    weights = torch.exp(logits - largest)
    if size % BLOCK:
        weights = torch.nn.functional.pad(weights, (0, BLOCK - size % BLOCK))
    blocks = weights.view(rows, -1, BLOCK)
    sums = blocks.sum(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    target = _inside(uniforms[:, None] * sums[:, -1:], sums)
    # where a logit is no number nothing is found, and the log-probability says so
    block = torch.searchsorted(sums, target, right=True).clamp(max=sums.shape[1] - 1)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp(min=0)), 0.0)
    within = blocks.gather(1, block[..., None].expand(-1, -1, BLOCK))[:, 0].double().cumsum(dim=-1)
    place = torch.searchsorted(within, _inside(target - before, within), right=True)
    tokens = (block * BLOCK + place).clamp(max=size - 1)
    log_probs = logits.gather(1, tokens) - largest - sums[:, -1:].log().float()
    return tokens[:, 0], log_probs[:, 0]


def _inside(target: torch.Tensor, cumulative: torch.Tensor) -> torch.Tensor:
    """Below the whole sum also after rounding: what is found there has a probability that is not 0."""
    below = torch.nextafter(cumulative[:, -1:], torch.zeros_like(target))
    return torch.minimum(target, below).clamp(min=0.0)
