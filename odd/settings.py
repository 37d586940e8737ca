"""Base class of all settings and records that are read from files."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from odd.text import is_unicode, texts_in

MANY = 10**9
"""Bound of counts: beyond any run, and small enough for 64-bit products of two of them."""
Count = Annotated[int, Field(ge=0, le=MANY)]
Positive = Annotated[int, Field(ge=1, le=MANY)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63)]


class Settings(BaseModel):
    """Frozen model that rejects unknown keys, numbers that JSON cannot represent, and text that no file can hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _text_can_be_written(cls, value: Any) -> Any:
        for text in texts_in(str(value) if isinstance(value, Path) else value):
            if "\0" in text:
                raise ValueError("it contains a NUL character: remove it")
            if not is_unicode(text):
                raise ValueError("it is not valid Unicode: correct it, or rename the file or folder")
        return value
