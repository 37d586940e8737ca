"""Collect table rows node by node; a data frame per node would be too slow."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Labels(NamedTuple):
    """Values of a categorical column: the distinct texts, and the index of one of them for each row."""

    names: Sequence[str]
    codes: np.ndarray


Column = Labels | np.ndarray | Sequence[Any] | str | float
"""One value per row, or one for all rows."""


class Columns:
    """Columns of one table."""

    def __init__(self) -> None:
        self._parts: dict[str, list[np.ndarray]] = {}
        self._nested: dict[str, list[Sequence[Any]]] = {}
        self._names: dict[str, Sequence[str]] = {}

    def add(self, count: int, columns: Mapping[str, Column]) -> None:
        """Add `count` rows; every call has the same columns and labels; a list contains one array per row."""
        for name, values in columns.items():
            if isinstance(values, Labels):
                self._names[name], values = values
            if isinstance(values, list):
                self._nested.setdefault(name, []).append(values)
            else:
                self._parts.setdefault(name, []).append(np.broadcast_to(np.asarray(values), count))

    def frame(self) -> pd.DataFrame:
        """Return all rows."""
        plain: dict[str, Any] = {name: np.concatenate(parts) for name, parts in self._parts.items()}
        for name, names in self._names.items():
            kind: Any = object  # pandas' string type rejects lone surrogates
            plain[name] = pd.Categorical.from_codes(plain[name], dtype=pd.CategoricalDtype(pd.Index(names, dtype=kind)))
        return pd.DataFrame(plain | {name: list(chain(*parts)) for name, parts in self._nested.items()})
