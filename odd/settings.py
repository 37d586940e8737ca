"""Base class of all settings and records that are read from files."""

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

LARGEST_SEED = (1 << 63) - 1
"""Seeds are stored as 64-bit integers."""
MANY = 10**9
"""Bound of counts: beyond any run, and small enough for 64-bit products of two of them."""


class Settings(BaseModel):
    """Frozen model that rejects unknown keys, numbers that JSON cannot represent, and text that no file can hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _text_can_be_written(cls, value: Any) -> Any:
        if isinstance(value, str):
            if "\0" in value:
                raise ValueError("it contains a NUL character: remove it")
            if any("\ud800" <= letter <= "\udfff" for letter in value):
                raise ValueError("it is not valid Unicode: write it again")
        return value
