"""How a node is cut down to its children before scores are taken (method §4)."""

from typing import Literal

from odd.settings import Settings

Pooling = Literal["on_policy", "stratified", "pooled"]
Baseline = Literal["full", "children"]
Rest = Literal["off", "bucket"]


class Convention(Settings):
    """What the paper leaves open about a score."""

    pooling: Pooling = "on_policy"
    baseline: Baseline = "full"
    rest: Rest = "off"

    @property
    def label(self) -> str:
        """Short unique name, as used in run files and links."""
        return f"{self.pooling}-{self.baseline}-{self.rest}"
