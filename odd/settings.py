"""What all settings have in common, and which model a setting names."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Base of all settings: frozen; unknown keys are refused, and numbers that JSON cannot hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ModelConfig(Settings):
    """Which model, and how it is run.

    `name` is an embedded model (`python -m odd models` lists them), a local path, or a hub name.
    """

    name: str = Field(default="tiny-s", min_length=1)
    device: str = Field(default="cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    @property
    def label(self) -> str:
        """Its name; where it is not run as models are by default, that follows in brackets."""
        own = [value for value, usual in ((self.device, "cpu"), (self.dtype, "float32")) if value != usual]
        return f"{self.name} [{', '.join(own)}]" if own else self.name
