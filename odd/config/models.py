"""Settings of models, and of rollouts that are imported."""

from typing import Literal

from pydantic import Field

from odd.settings import Settings

SCORING_MEMORY = 64
"""MiB of logits that are held at a time where distributions are read; more is seldom faster."""


class ModelConfig(Settings):
    """Which model, and how it is run.

    `name` is an embedded model (`odd models` lists them), a local path, or a hub name.
    """

    name: str = Field(default="tiny-s", min_length=1)
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    engine: str = Field(default="transformers", description="what samples and scores it")
    thinking: bool = Field(default=False, description="thinking mode of chat templates that have one")
    scoring_memory: int = Field(default=SCORING_MEMORY, ge=1, description="MiB of logits held at a time")

    @property
    def label(self) -> str:
        """Its name; where it is not run as models are by default, that follows in brackets."""
        own = [value for value, usual in ((self.device, "cpu"), (self.dtype, "float32")) if value != usual]
        own += ["thinking"] if self.thinking else []
        return f"{self.name} [{', '.join(own)}]" if own else self.name


class ImportConfig(Settings):
    """Rollouts that were made elsewhere and take the place of the initial ones (docs/import.md)."""

    files: tuple[str, ...] = Field(min_length=1)
    steps: tuple[int, ...] = Field(default=(), description="training steps whose rollouts are taken; none: the only")
    reward: str | None = Field(default=None, description="column of the reward, where a log has several")
    threshold: float = Field(default=0.5, description="a reward above it means correct")
    verify: bool = Field(default=False, description="judge answers anew instead of believing the rewards")
    digest: str = Field(default="", description="of the rollouts that were taken; written by the run")
