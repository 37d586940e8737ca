"""Names of objectives and conventions in words."""

from odd.method.pooling import RULES

BASELINES = {"full": "full baseline", "children": "children's baseline"}


def convention_name(label: str) -> str:
    """A convention in words: `on_policy-full-off` is "on-policy · full baseline"."""
    pooling, baseline, rest = [*label.split("-"), "", ""][:3]
    parts = [RULES[pooling].label if pooling in RULES else pooling, BASELINES.get(baseline, baseline)]
    return " · ".join([*parts, "rest in a bucket"] if rest == "bucket" else parts)


def objective_name(label: str) -> str:
    """An objective in words."""
    return label.replace("_", " ").replace("kl", "KL").replace("jsd", "JSD")
