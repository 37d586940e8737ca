"""Pooling rules: which rollouts count for an edge, and how its success is estimated from them (method §5).

To add a rule, add a file with a subclass of `PoolingRule` and register it below.
"""

from odd.errors import OddError
from odd.method.pooling.base import EdgeSuccess, PoolingRule, Sample
from odd.method.pooling.on_policy import OnPolicy
from odd.method.pooling.pooled import Pooled
from odd.method.pooling.stratified import Stratified

RULES: dict[str, PoolingRule] = {rule.name: rule for rule in (OnPolicy(), Stratified(), Pooled())}
"""All rules, by name."""


def pooling_rule(name: str) -> PoolingRule:
    """Return the pooling rule with a name, or of a convention label, which starts with the name.

    Raises:
        OddError: there is no such rule.
    """
    name = name.split("-")[0]
    if name not in RULES:
        raise OddError(f"there is no pooling rule {name!r}: choose one of {', '.join(RULES)}")
    return RULES[name]


__all__ = ["RULES", "EdgeSuccess", "PoolingRule", "Sample", "pooling_rule"]
