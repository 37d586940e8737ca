"""Published numbers for comparison: arXiv 2605.10889v1, CC BY 4.0, one CSV file per table.

README.md in this folder lists the columns of each table.
"""

from functools import cache
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent
CREDIT = "M. Armandpour et al., Unmasking On-Policy Distillation, arXiv 2605.10889v1 (2026), CC BY 4.0"
"""Attribution, required wherever these numbers are shown."""


def tables() -> list[int]:
    """Numbers of the available tables."""
    return sorted(int(path.stem.partition("_")[0].removeprefix("table")) for path in FOLDER.glob("table*_*.csv"))


@cache
def _read(table: int) -> pd.DataFrame:
    if table not in tables():
        raise ValueError(f"no table {table} of the paper: there are {', '.join(map(str, tables()))}")
    (path,) = FOLDER.glob(f"table{table}_*.csv")
    return pd.read_csv(path)


def published(table: int) -> pd.DataFrame:
    """A table of the paper, as printed.

    Args:
        table: number of the table.

    Returns:
        A copy; empty cells are NaN. Columns that contain more than numbers, such as the p-values of table 4 ("<1e-19"),
        are text.

    Raises:
        ValueError: there is no such table.
    """
    return _read(table).copy()
