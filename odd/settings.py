"""Base class of all settings and records that are read from files."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Frozen model that rejects unknown keys and numbers that JSON cannot represent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
