"""Display names of objectives and conventions."""

from odd.method.pooling import RULES

BASELINES = {"full": "full baseline", "children": "children's baseline"}


def convention_name(label: str) -> str:
    """Display name of a convention: `on_policy-full-off` is "on-policy · full baseline"."""
    pooling, baseline, rest = [*label.split("-"), "", ""][:3]
    parts = [RULES[pooling].label if pooling in RULES else pooling, BASELINES.get(baseline, baseline)]
    return " · ".join([*parts, "rest in a bucket"] if rest == "bucket" else parts)


def objective_name(label: str) -> str:
    """Display name of an objective."""
    return label.replace("_", " ").replace("kl", "KL").replace("jsd", "JSD")
