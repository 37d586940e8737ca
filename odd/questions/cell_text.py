"""Single cells as text: what a cell is called in messages, whether it is empty, and numbers without exponents."""

import math
from decimal import Decimal
from typing import Any

from odd.errors import OddError
from odd.text import shortened

NAMES = {list: "a list", tuple: "a list", dict: "an object", bool: "true or false", type(None): "empty"}


def named(cell: Any) -> str:
    """Name a cell in a message: its type if it has parts, else its value."""
    return NAMES.get(type(cell), shortened(repr(cell), 60))


def is_missing(cell: Any) -> bool:
    """Whether a cell is null or NaN."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def text_of(what: str, cell: Any) -> str:
    """Return a text or number as text.

    Args:
        what: the cell, for the message, such as "questions my.csv, row 3: answer".
        cell: its value.

    Raises:
        OddError: it is neither.
    """
    if isinstance(cell, str):
        return cell
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    number = Decimal(repr(cell)) if isinstance(cell, float) else cell
    if not isinstance(number, Decimal) or not number.is_finite():
        raise OddError(f"{what} is {named(cell)}: write a text")
    text = f"{number:f}"  # no exponent, and no point in whole numbers
    return text.rstrip("0").rstrip(".") if "." in text else text
