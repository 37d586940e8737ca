"""How a node is reduced to its children before scores are computed (method §4)."""

from typing import Annotated, Literal

from pydantic import AfterValidator

from odd.method.pooling import RULES
from odd.settings import Settings


def _known_rule(name: str) -> str:
    if name not in RULES:
        raise ValueError(f"there is no such pooling rule: choose one of {', '.join(RULES)}")
    return name


Pooling = Annotated[str, AfterValidator(_known_rule)]
"""Name of a pooling rule in `odd.method.pooling`."""
Baseline = Literal["full", "children"]
Rest = Literal["off", "bucket"]
REST = -1
"""Token id of the bucket of everything outside S_u."""


class Convention(Settings):
    """The choices about a score that the paper leaves open."""

    pooling: Pooling = "on_policy"
    baseline: Baseline = "full"
    rest: Rest = "off"

    @property
    def label(self) -> str:
        """Short unique name, as used in run files and links."""
        return f"{self.pooling}-{self.baseline}-{self.rest}"
