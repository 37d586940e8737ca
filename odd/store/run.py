"""What display code asks of a run: named queries. `odd.store.RunReader` answers them; pages put a cache before it."""

from typing import Any, Protocol

import pandas as pd


class Run(Protocol):
    """A run file that can be asked."""

    @property
    def run_id(self) -> str:
        """Name of the run."""
        ...

    def query(self, name: str, /, **params: Any) -> pd.DataFrame:
        """Rows of a named query of `odd.store.queries`. They may be shared: copy before changing them."""
        ...


def of_teacher(rows: pd.DataFrame, teacher: str | None) -> pd.DataFrame:
    """Rows of one teacher, of a query that answers for all of them; None: what is known without a teacher."""
    return rows[rows["teacher"].isna() if teacher is None else rows["teacher"] == teacher]
