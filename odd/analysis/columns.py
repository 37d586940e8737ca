"""Rows of tables as they come up, node by node; a frame for each node would cost more than what stands in it."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Labels(NamedTuple):
    """Texts of which few differ: all of them, and which one stands in each row. They become a categorical column."""

    names: Sequence[str]
    codes: np.ndarray


Column = Labels | np.ndarray | Sequence[Any] | str | float
"""A value for each row, or one for all of them."""


class Columns:
    """One table."""

    def __init__(self) -> None:
        """Begin without rows."""
        self._parts: dict[str, list[np.ndarray]] = {}
        self._nested: dict[str, list[Sequence[Any]]] = {}
        self._names: dict[str, Sequence[str]] = {}

    def add(self, count: int, columns: Mapping[str, Column]) -> None:
        """Add `count` rows; columns and labels are the same each time, and lists hold an array for each row."""
        for name, values in columns.items():
            if isinstance(values, Labels):
                self._names[name], values = values
            if isinstance(values, list):
                self._nested.setdefault(name, []).append(values)
            else:
                self._parts.setdefault(name, []).append(np.broadcast_to(np.asarray(values), count))

    def frame(self) -> pd.DataFrame:
        """All rows."""
        plain: dict[str, Any] = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        for name, names in self._names.items():
            kind: Any = object  # pandas' own text type would refuse lone surrogates
            plain[name] = pd.Categorical.from_codes(plain[name], dtype=pd.CategoricalDtype(pd.Index(names, dtype=kind)))
        return pd.DataFrame(plain | {name: list(chain(*parts)) for name, parts in self._nested.items()})
