"""Interface of a run for display code: named queries, implemented by `odd.store.RunReader`; pages cache the results."""

from typing import Any, Protocol

import pandas as pd


class Run(Protocol):
    """A run file that can be queried."""

    @property
    def run_id(self) -> str:
        """Id of the run."""
        ...

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Return the rows of a named query of `odd.store.queries`. They may be shared: copy before changing them."""
        ...


def of_teacher(rows: pd.DataFrame, teacher: str | None) -> pd.DataFrame:
    """Select the rows of one teacher from a query of all teachers; None for rows without a teacher."""
    return rows[rows["teacher"].isna() if teacher is None else rows["teacher"] == teacher]
