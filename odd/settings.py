"""The base of all settings and records that come from files."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen; unknown keys are refused, and numbers that JSON cannot hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
