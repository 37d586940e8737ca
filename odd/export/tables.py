"""Tables as CSV files."""

import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv(frame: pd.DataFrame) -> bytes:
    """Encode a table as UTF-8 CSV.

    Texts are untrusted, and a spreadsheet executes a cell that starts like a formula: such texts and column names are
    prefixed with an apostrophe, which spreadsheets read as "this is text". Numbers stay unchanged.
    """
    plain = frame.rename(columns=_text)
    for name in plain.columns[[not pd.api.types.is_numeric_dtype(dtype) for dtype in plain.dtypes]]:
        plain[name] = plain[name].map(_text)
    return plain.to_csv(index=False).encode("utf-8")


def _text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
