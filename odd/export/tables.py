"""Tables as files."""

import pandas as pd

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv(frame: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8.

    Texts come from models and strangers, and a spreadsheet runs a cell that starts like a formula: such texts, and
    names of columns, get an apostrophe before them, which spreadsheets take for "this is text". Numbers stay.
    """
    plain = frame.rename(columns=_text)
    for name in plain.columns[[not pd.api.types.is_numeric_dtype(dtype) for dtype in plain.dtypes]]:
        plain[name] = plain[name].map(_text)
    return plain.to_csv(index=False).encode("utf-8")


def _text(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
