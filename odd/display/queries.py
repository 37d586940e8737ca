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
