"""What the engine check of a run found, one line per item."""

from pydantic import BaseModel, ValidationError

from odd.method.engine_gap import is_shifted
from odd.settings import Count

MUCH = 0.05
"""Mean difference in nats per token beyond which the engines do not agree."""

FEW = 0.1
"""Share of path tokens with unsettled signs from which it is worth a line."""


class _Gap(BaseModel):
    """The gap of `odd.method.engine_gap` as `odd.pipeline.engine_check` stores it."""

    rollouts: Count
    tokens: Count
    mean: float
    largest: float
    sections: list[float | None]
    lags: list[float | None]
    scorer: str
    below: dict[str, float]


def engine_lines(stored: str) -> list[str]:
    """Describe the engine check of a run; one that is not valid gives no lines.

    Args:
        stored: JSON value of `engine_check` in the run's `meta`.
    """
    try:
        found = _Gap.model_validate_json(stored)
    except ValidationError:
        return []
    scorer = "this machine" if found.scorer == "transformers" else "the server's scores"
    lines = [
        f"engine check: sampling server and {scorer} differ by {found.mean:.2g} nats per token on average, "
        f"{found.largest:.2g} at most ({found.rollouts:,} rollouts, {found.tokens:,} tokens)"
    ]
    if found.mean > MUCH:
        lines.append(
            "engine check: that is much: check that both have the same weights and dtype (--dtype), and that the "
            "server does not quantize its KV cache"
        )
    if len(found.lags) == 3 and None not in found.lags:
        lags = [lag or 0.0 for lag in found.lags]
        before, own, after = lags
        line = f"engine check: correlation {before:.2f} at lag -1, {own:.3f} at lag 0, {after:.2f} at lag +1"
        lines.append(f"{line}: the server's values are shifted by a position: update it" if is_shifted(lags) else line)
    lines += [
        f"engine check: teacher {teacher} differs from the student by less than the engines do at {share:.1%} of path "
        "tokens: its signs there are not settled"
        for teacher, share in found.below.items()
        if share > FEW
    ]
    return lines
