"""Display names of objectives and conventions, and names of files."""

import re

from odd.method.pooling import RULES

BASELINES = {"full": "full baseline", "children": "children's baseline"}


def convention_name(label: str) -> str:
    """Display name of a convention: `on_policy-full-off` is "on-policy · full baseline"."""
    pooling, baseline, rest = [*label.split("-"), "", ""][:3]
    parts = [RULES[pooling].label if pooling in RULES else pooling, BASELINES.get(baseline, baseline)]
    return " · ".join([*parts, "rest in a bucket"] if rest == "bucket" else parts)


def file_name(*parts: str | int | None) -> str:
    """File name of an export, without suffix: run, question and what it shows, as far as they are given."""
    return "-".join(re.sub(r"[^\w.]+", "-", str(part)).strip("-.") for part in parts if part not in (None, ""))


def objective_name(label: str) -> str:
    """Display name of an objective."""
    return label.replace("_", " ").replace("kl", "KL").replace("jsd", "JSD")
