"""Pooling rules: which rollouts count for an edge, and what they say of its success (method §5).

A new rule is a file with a subclass of `PoolingRule`, and its line below.
"""

from odd.errors import OddError
from odd.method.pooling.base import EdgeSuccess, PoolingRule, Sample
from odd.method.pooling.on_policy import OnPolicy
from odd.method.pooling.pooled import Pooled
from odd.method.pooling.stratified import Stratified

RULES: dict[str, PoolingRule] = {rule.name: rule for rule in (OnPolicy(), Stratified(), Pooled())}
"""All rules, by name."""


def pooling_rule(name: str) -> PoolingRule:
    """The rule of a name, or of the label of a convention, which begins with it.

    Raises:
        OddError: there is none.
    """
    name = name.split("-")[0]
    if name not in RULES:
        raise OddError(f"there is no pooling rule {name!r}: choose one of {', '.join(RULES)}")
    return RULES[name]


__all__ = ["RULES", "EdgeSuccess", "PoolingRule", "Sample", "pooling_rule"]
