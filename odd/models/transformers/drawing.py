"""Sampling of tokens: one uniform number per row and the inverse of the cumulative distribution."""

import torch

BLOCK = 256
"""Block size: the search goes over block sums first, then over the tokens of one block."""
ENTRIES = 1 << 20
"""Logits per piece of the batch: intermediate results of a piece stay in the processor's cache."""


def draw(logits: torch.Tensor, uniforms: torch.Tensor, temperature: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a token from the softmax of each row.

    The whole vocabulary is read for the softmax and its block sums only; cumulative sums are over the block sums and
    over the tokens of one block.

    Args:
        logits: float32 (N, V).
        uniforms: float64 (N,) in [0, 1).
        temperature: divisor of the logits.

    Returns:
        Token ids (N,) and their log-probabilities, float32 (N,); NaN where a logit is NaN.
    """
    rows = max(1, ENTRIES // logits.shape[1])
    drawn = [_draw(*piece, temperature) for piece in zip(logits.split(rows), uniforms.split(rows), strict=True)]
    tokens, log_probs = zip(*drawn, strict=True)
    return torch.cat(tokens), torch.cat(log_probs)


def _draw(logits: torch.Tensor, uniforms: torch.Tensor, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    rows, size = logits.shape
    weights = torch.softmax(logits if temperature == 1 else logits / temperature, dim=-1)
    if size % BLOCK:
        weights = torch.nn.functional.pad(weights, (0, BLOCK - size % BLOCK))
    blocks = weights.view(rows, -1, BLOCK)
    sums = blocks.sum(dim=-1).cumsum(dim=-1, dtype=torch.float64)
    target = _inside(uniforms[:, None] * sums[:, -1:], sums)
    # with a NaN logit nothing is found, and the log-probability is NaN
    block = torch.searchsorted(sums, target, right=True).clamp(max=sums.shape[1] - 1)
    edges = torch.nn.functional.pad(sums, (1, 0))
    before, after = edges.gather(1, block), edges.gather(1, block + 1)
    within = blocks.gather(1, block[..., None].expand(-1, -1, BLOCK))[:, 0].cumsum(dim=-1, dtype=torch.float64)
    # as a share of the block, because the block sum in single precision differs from the sum over its tokens
    share = (target - before) / (after - before)
    place = torch.searchsorted(within, _inside(share * within[:, -1:], within), right=True)
    tokens = (block * BLOCK + place).clamp(max=size - 1)
    log_probs = (weights.gather(1, tokens) / sums[:, -1:]).log().float()
    return tokens[:, 0], log_probs[:, 0]


def _inside(target: torch.Tensor, cumulative: torch.Tensor) -> torch.Tensor:
    """Clamp below the total, so that rounding cannot select a token with probability 0."""
    below = torch.nextafter(cumulative[:, -1:], torch.zeros_like(target))
    return torch.minimum(target, below).clamp(min=0.0)
